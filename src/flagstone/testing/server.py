"""A real server process for tests and benchmarks: started, asked, killed by its process id."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

_START_LIMIT = 60.0
# A server keeps its bytecode, as it does everywhere else: compiling it again takes a quarter of each start.
_NOT_HANDED_ON = ("FLAGSTONE_", "PYTHONDONTWRITEBYTECODE")
_STOP_LIMIT = 40.0


class ServerProcess:
    """``flagstone up`` (or other arguments) in a process of its own, with an administrator's API token.

    The data folder outlives the process, so that :meth:`kill` and :meth:`start` again is a crash and a restart.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        command: tuple[str, ...] = ("up", "--no-example"),
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.token = secrets.token_urlsafe(32)
        self._token_file = folder / "token"
        self._arguments = (*command, *arguments)
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.port = 0

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self, *, wait: bool = True) -> Self:
        """Start it; returns when it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._token_file.write_text(self.token)
        self._token_file.chmod(0o600)
        if not self.port:
            self.port = free_port()
        first = 12_000 + self.port % 900 * 20
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_NOT_HANDED_ON)},  # noqa: TID251  a test helper starts a real process
            "FLAGSTONE_BOOTSTRAP_TOKEN_FILE": str(self._token_file),
            # Servers that run side by side must not take each other's addresses while one of them restarts.
            "FLAGSTONE_DEPLOYMENTS__PORT_RANGE": f"[{first}, {first + 19}]",
            **self._env,
        }
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = [
            sys.executable,
            "-m",
            "flagstone",
            *self._arguments,
            "--data",
            str(self.data),
            "--port",
            str(self.port),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                arguments, stdout=log, stderr=log, env=environment, cwd=self.folder, start_new_session=True
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, limit: float = _START_LIMIT) -> None:
        """Wait until it can serve. Raises RuntimeError with the end of its log when it does not."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.tail()}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"the server did not become ready:\n{self.tail()}")

    def tail(self, lines: int = 60) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """``kill -9``: no chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As Ctrl-C does. Returns the exit code."""
        return self._end(signal.SIGINT)

    def _end(self, sign: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(sign)
        try:
            return process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def client(self) -> httpx.Client:
        """An API client of the administrator."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def get(self, path: str, **params: Any) -> Any:
        """GET as the administrator; raises for an error status."""
        with self.client() as client:
            response = client.get(path, params=params)
        _check(response)
        return response.json()

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST as the administrator; raises for an error status."""
        with self.client() as client:
            response = client.post(path, json=body, params=params)
        _check(response)
        return response.json() if response.content else None

    def text(self, path: str) -> str | None:
        """What the administrator gets there as text; None unless it is answered with 200."""
        with self.client() as client:
            response = client.get(path)
        return response.text if response.status_code == 200 else None

    def wait_for_run(self, run_id: str, limit: float = 60.0) -> dict[str, Any]:
        """Wait until a run has ended; returns it."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/v1/runs/{run_id}")
            return run if run["state"] in ("succeeded", "failed", "cancelled", "unknown") else None

        found: dict[str, Any] = wait_until(ended, limit, f"run {run_id} to end")
        return found


def _check(response: httpx.Response) -> None:
    if response.status_code >= 400:
        raise AssertionError(
            f"{response.request.method} {response.request.url} -> {response.status_code}: {response.text}"
        )


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Any, limit: float, what: str, *, pause: float = 0.05) -> Any:
    """Call ``condition`` until it gives something true; AssertionError after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit} s for {what}")
        time.sleep(pause)
