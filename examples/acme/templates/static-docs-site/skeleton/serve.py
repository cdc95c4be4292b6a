"""Serves the folder site/. Nothing outside it can be reached, and folders without an index page are not listed."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

NAME = ${{ values.name | dump }}
SITE = Path(__file__).resolve().parent / "site"
COMMIT = os.environ.get("FLAGSTONE_COMMIT", "unknown")


class Handler(SimpleHTTPRequestHandler):
    """Files of the site, plus the addresses that the platform asks."""

    server_version = NAME
    sys_version = ""
    timeout = 10  # seconds; a client that connects and says nothing must not hold up a stop
    status = 0

    def __init__(self, *args: object) -> None:
        super().__init__(*args, directory=str(SITE))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer a GET request."""
        self.logged(super().do_GET)

    def do_HEAD(self) -> None:
        """Answer a HEAD request."""
        self.logged(super().do_HEAD)

    def logged(self, answer: Callable[[], None]) -> None:
        """Answer, then write one log line."""
        started = time.monotonic()
        try:
            answer()
        except OSError:
            pass  # the client went away
        took = round((time.monotonic() - started) * 1000, 2)
        log("info", method=self.command, path=urlsplit(self.path).path, status=self.status, duration_ms=took)

    def send_head(self) -> object:  # type: ignore[override]
        """Answer the platform's questions; leave everything else to the files."""
        path = urlsplit(self.path).path
        if path == "/healthz":
            return self.json({"status": "ok"})
        if path == "/version":
            return self.json({"name": NAME, "commit": COMMIT})
        if not Path(self.translate_path(self.path)).resolve().is_relative_to(SITE):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def json(self, value: object) -> io.BytesIO:
        """Answer with JSON."""
        body = json.dumps(value).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def list_directory(self, path: object) -> None:
        """Show no list of files."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Remember the status for the log line."""
        self.status = int(code)
        super().send_response(code, message)

    def end_headers(self) -> None:
        """Let browsers keep a copy, but ask each time whether it is still current."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silence the default log; `logged` writes a better line."""


class Server(ThreadingHTTPServer):
    """Waits for requests that are being answered when it stops."""

    daemon_threads = False
    request_queue_size = 128
    waiting = True

    def handle_timeout(self) -> None:
        """Called when no client is waiting any more."""
        self.waiting = False

    def drain(self) -> None:
        """Answer clients that had already connected, then wait for every request in progress."""
        self.timeout = 0.05
        deadline = time.monotonic() + 2
        while self.waiting and time.monotonic() < deadline:
            self.handle_request()
        self.server_close()


def log(level: str, **fields: object) -> None:
    """Write one JSON object as one line to standard output."""
    line = {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "level": level, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    server = Server(address, Handler)

    def stop(signum: int, frame: object) -> None:
        # shutdown() waits for serve_forever(), which runs in this thread, so it needs a thread of its own
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log("info", event="started", name=NAME, commit=COMMIT, url=f"http://{address[0]}:{server.server_address[1]}/")
    server.serve_forever(poll_interval=0.1)
    server.drain()
    log("info", event="stopped", name=NAME)


if __name__ == "__main__":
    main()
