"""Connections to checked addresses, under one deadline for the whole request."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import httpcore

from flagstone.toolkit.http.addresses import Address

DEADLINE: ContextVar[float] = ContextVar("DEADLINE")
"""When the request of this thread has to be over, on the monotonic clock."""

Check = Callable[[str, int, list[Address]], list[Address]]
"""Host, port and what the host resolved to; gives back the addresses that may be tried, or raises."""

_MOST_ADDRESSES = 4


def remaining() -> float:
    """Seconds left. Raises httpcore.ReadTimeout when there are none."""
    left = DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the system's order. Raises httpcore.ConnectError, httpcore.ConnectTimeout."""
    answer: list[Address] = []
    failure: list[OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            answer.extend(dict.fromkeys(ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found))
        except (OSError, UnicodeError) as error:
            failure.append(OSError(f"the name {host} could not be resolved: {error}"))

    # The system's resolver knows no time limit of its own, so it is waited for and left behind.
    thread = threading.Thread(target=ask, name="resolver", daemon=True)
    thread.start()
    thread.join(remaining())
    if thread.is_alive():
        raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time")
    if failure:
        raise httpcore.ConnectError(str(failure[0]))
    return answer


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline of the request that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, min(remaining(), timeout or remaining()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, min(remaining(), timeout or remaining()))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = min(remaining(), timeout or remaining())
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a host once, has the addresses checked, and connects to one of those: not to the name again."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._check(host, port, resolve(host, port))[:_MOST_ADDRESSES]
        failure: Exception | None = None
        for place, address in enumerate(addresses):
            share = remaining() / (len(addresses) - place)
            try:
                stream = self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream)
        raise failure or httpcore.ConnectError(f"the name {host} has no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError(f"sockets in the file system are not used: {path}")
