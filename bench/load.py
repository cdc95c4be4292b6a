"""Load from a process of its own: raw HTTP/1.1 over kept connections, cheap enough to share two cores with the server.

``run`` starts the process, hands it the requests, and returns what it measured. Not a general HTTP client: it knows
what our server answers (Content-Length or chunked) and treats anything but status 200 as an error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``body`` is sent as JSON."""

    path: str
    body: object = None
    accept: str = "application/json"

    def raw(self, host: str, token: str) -> bytes:
        """As bytes on the wire."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        head = [
            f"{'GET' if self.body is None else 'POST'} {self.path} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {token}",
            f"Accept: {self.accept}",
        ]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in milliseconds."""

    requests: int
    errors: int
    seconds: float
    p50: float
    p95: float
    p99: float
    worst: float
    bytes: float
    """Of an answer, on average."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Load:
    """A running load generator; ``result`` waits for its end, ``stop`` ends it early."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def stop(self) -> Measured:
        """End it now; returns what it measured until then."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.result()

    def result(self) -> Measured:
        """Wait for its end."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        self._process.stdout.close()
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        if self._process.wait(30) or not text:
            raise RuntimeError("the load generator failed")
        return Measured(**json.loads(text))


def start(
    port: int,
    token: str,
    requests: list[Request],
    *,
    clients: int = 1,
    seconds: float = 5.0,
    limit: int = 0,
    pause: float = 0.0,
) -> Load:
    """Send ``requests`` in turn for ``seconds`` (or ``limit`` of them), ``pause`` seconds between those of a client."""
    host = f"127.0.0.1:{port}"
    raw = [request.raw(host, token).decode("latin-1") for request in requests]
    plan = {"port": port, "raw": raw, "clients": clients, "seconds": seconds, "limit": limit, "pause": pause}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan) + "\n")
    process.stdin.flush()
    return Load(process)


def run(port: int, token: str, requests: list[Request], **options: Any) -> Measured:
    """:func:`start`, and wait for the end."""
    return start(port, token, requests, **options).result()


class _Client(asyncio.Protocol):
    """One connection: the next request goes out as soon as an answer is complete."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.wanted: int | None = None
        self.chunked = False
        self.good = False
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        raw = self.plan.next()
        if raw is None:
            self.finish()
            return
        self.buffer.clear()
        self.wanted, self.chunked = None, False
        self.began = time.perf_counter()
        self.transport.write(raw)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.wanted is None and not self.chunked:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            self.good = head[9:12] == b"200"
            self.chunked = b"transfer-encoding: chunked" in head
            if not self.chunked:
                at = head.find(b"content-length:")
                length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                self.wanted = end + 4 + length
        if self.buffer.endswith(b"0\r\n\r\n") if self.chunked else len(self.buffer) >= (self.wanted or 0):
            self.plan.took(time.perf_counter() - self.began, len(self.buffer), good=self.good)
            if self.plan.pause:
                asyncio.get_running_loop().call_later(self.plan.pause, self.send)
            else:
                self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.plan.errors += 1
            self.ended.set_result(None)

    def finish(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self.transport.close()


class _Plan:
    """What to send until when, and what was measured."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.raw: Iterator[bytes] = itertools.cycle([text.encode("latin-1") for text in given["raw"]])
        self.pause = given["pause"]
        self.left = given["limit"] or sys.maxsize
        self.began = time.perf_counter()
        self.until = self.began + given["seconds"]
        self.times: list[float] = []
        self.errors = 0
        self.bytes = 0

    def next(self) -> bytes | None:
        if self.left <= 0 or time.perf_counter() > self.until:
            return None
        self.left -= 1
        return next(self.raw)

    def took(self, seconds: float, size: int, *, good: bool) -> None:
        self.times.append(seconds)
        self.bytes += size
        self.errors += not good

    def result(self) -> dict[str, float]:
        seconds = time.perf_counter() - self.began
        ordered = sorted(value * 1000 for value in self.times) or [0.0]

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

        return {
            "requests": len(self.times),
            "errors": self.errors,
            "seconds": seconds,
            "p50": at(0.5),
            "p95": at(0.95),
            "p99": at(0.99),
            "worst": ordered[-1],
            "bytes": self.bytes / max(1, len(self.times)),
        }


async def _work(given: dict[str, Any]) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    random.shuffle(given["raw"])
    plan = _Plan(given)
    clients = []
    for _ in range(given["clients"]):
        _, client = await loop.create_connection(lambda: _Client(plan), "127.0.0.1", given["port"])
        clients.append(client)

    def told_to_stop() -> None:
        loop.remove_reader(sys.stdin)
        plan.until = 0.0

    loop.add_reader(sys.stdin, told_to_stop)
    await asyncio.wait({client.ended for client in clients}, timeout=given["seconds"] + 20)
    return plan.result()


def main() -> None:
    """The process that loads: a plan on stdin, what was measured on stdout."""
    given = json.loads(sys.stdin.readline())
    try:
        import uvloop  # not on every system; the standard loop is only slower
    except ImportError:
        print(json.dumps(asyncio.run(_work(given))))
    else:
        print(json.dumps(uvloop.run(_work(given))))


if __name__ == "__main__":
    main()
