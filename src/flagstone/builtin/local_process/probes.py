"""Asking a workload whether it is well."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path

from flagstone.builtin.local_process.workload import Probe
from flagstone.kernel.errors import FlagstoneError
from flagstone.sdk import ProcessHost, ProcessLimits

ADDRESS = "127.0.0.1"
"""Where instances listen: only the front is reachable from elsewhere."""


def ask_port(port: int, timeout: float) -> str | None:
    """None when something accepts connections on a port, else why not."""
    try:
        socket.create_connection((ADDRESS, port), timeout).close()
    except OSError:
        return f"nothing listens on port {port}; it must listen on $PORT"
    return None


def ask_http(probe: Probe, port: int, timeout: float) -> str | None:
    """None when the answer is 200 to 399, else what it was."""
    connection: http.client.HTTPConnection
    if probe.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # our own child on the loopback address
        connection = http.client.HTTPSConnection(ADDRESS, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=timeout)
    try:
        connection.request("GET", probe.path, headers={"User-Agent": "flagstone-probe", **dict(probe.headers)})
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return f"nothing listens on port {port}; it must listen on $PORT"
    except TimeoutError:
        return f"{probe} gave no answer within {timeout:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"{probe} failed: {error or type(error).__name__}"
    finally:
        connection.close()
    return None if 200 <= status < 400 else f"{probe} answered {status}"


def ask_command(
    probe: Probe, processes: ProcessHost, *, cwd: Path, env: dict[str, str], log: Path, label: str, timeout: float
) -> str | None:
    """None when the command ends with 0, else how it ended."""
    try:
        process = processes.start(probe.command, cwd=cwd, env=env, log=log, limits=ProcessLimits(), label=label)
    except FlagstoneError as error:
        return f"{probe}: {error.message}"
    code = process.wait(timeout)
    if code is None:
        process.stop(0)
        return f"{probe} did not end within {timeout:g} s"
    return None if code == 0 else f"{probe} ended with exit code {code}"
