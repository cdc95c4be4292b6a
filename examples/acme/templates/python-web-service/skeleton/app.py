"""An HTTP service in plain Python. Change GREETING, or add a path to ROUTES, and deploy again."""

from __future__ import annotations

import html
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAME = ${{ values.name | dump }}
DESCRIPTION = ${{ values.description | dump }}
GREETING = ${{ values.greeting | dump }}
COMMIT = os.environ.get("FLAGSTONE_COMMIT", "unknown")
QUIET = os.environ.get("LOG_LEVEL", "info") in ("warning", "error")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(name)s</title>
<style>
  :root { color-scheme: light dark; --page: #f5f6f8; --card: #fff; --line: #dfe3e8; --text: #1a1f27; --quiet: #5b6472;
          --link: #0b57c2; --good: #1f8a4c; font: 16px/1.55 system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    :root { --page: #0f1217; --card: #181c23; --line: #2c323c; --text: #e8ebf0; --quiet: #9aa4b2; --link: #7fb0ff;
            --good: #4cc97f; }
  }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--page); color: var(--text); }
  main { box-sizing: border-box; width: min(34rem, 100vw - 2rem); padding: 2rem; background: var(--card);
         border: 1px solid var(--line); border-radius: 12px; }
  h1 { font-size: 1.9rem; line-height: 1.2; margin: .6rem 0 .4rem; overflow-wrap: anywhere; }
  p { margin: 0; }
  .state { color: var(--good); font-weight: 600; font-size: .9rem; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.25rem; margin: 1.5rem 0 0; padding-top: 1.25rem;
       border-top: 1px solid var(--line); font-size: .95rem; }
  dt { color: var(--quiet); }
  dd { margin: 0; overflow-wrap: anywhere; }
  a { color: var(--link); }
  code { font: .92em ui-monospace, monospace; }
</style>
</head>
<body>
<main>
  <p class="state">&#9679; Running</p>
  <h1>%(greeting)s</h1>
  <p>%(description)s</p>
  <dl>
    <dt>Service</dt><dd>%(name)s</dd>
    <dt>Version</dt><dd><code>%(commit)s</code></dd>
    <dt>Greeting</dt><dd><a href="api/hello?name=you"><code>/api/hello?name=you</code></a></dd>
    <dt>Health</dt><dd><a href="healthz"><code>/healthz</code></a></dd>
  </dl>
</main>
</body>
</html>
"""

Answer = tuple[str, bytes]
"""Content type and body."""


def as_json(value: object) -> Answer:
    """Answer with JSON."""
    return "application/json", json.dumps(value).encode()


def front_page(query: dict[str, list[str]]) -> Answer:
    """The page that people see."""
    values = {"name": NAME, "greeting": GREETING, "description": DESCRIPTION, "commit": COMMIT[:12]}
    page = PAGE % {key: html.escape(value) for key, value in values.items()}
    return "text/html; charset=utf-8", page.encode()


def hello(query: dict[str, list[str]]) -> Answer:
    """Greet whoever is named in the query."""
    return as_json({"greeting": GREETING, "name": query.get("name", ["world"])[0]})


def visits(query: dict[str, list[str]]) -> Answer:
    """Count this visit, where the service was given a database."""
    path = os.environ.get("DATABASE_PATH")
    if not path:
        return as_json({"visits": None})
    with closing(sqlite3.connect(path, timeout=5)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS visits (at TEXT NOT NULL)")
        database.execute("INSERT INTO visits VALUES (?)", (datetime.now(timezone.utc).isoformat(),))
        (count,) = database.execute("SELECT count(*) FROM visits").fetchone()
    return as_json({"visits": count})


def healthz(query: dict[str, list[str]]) -> Answer:
    """Asked by the platform: a request is only sent here while this answers 200."""
    return as_json({"status": "ok"})


def version(query: dict[str, list[str]]) -> Answer:
    """Which commit is running."""
    return as_json({"name": NAME, "commit": COMMIT})


ROUTES: dict[str, Callable[[dict[str, list[str]]], Answer]] = {
    "/": front_page,
    "/api/hello": hello,
    "/api/visits": visits,
    "/healthz": healthz,
    "/version": version,
}


class Handler(BaseHTTPRequestHandler):
    """Finds the route, answers, writes one log line."""

    server_version = NAME
    sys_version = ""
    timeout = 10  # seconds; a client that connects and says nothing must not hold up a stop

    def do_GET(self) -> None:
        """Answer a GET or HEAD request."""
        started = time.monotonic()
        target = urlsplit(self.path)
        route = ROUTES.get(target.path)
        status = 200
        try:
            if route is None:
                status, (kind, body) = 404, as_json({"error": "not found", "path": target.path})
            else:
                kind, body = route(parse_qs(target.query))
        except Exception as error:  # one broken request must not end the service
            status, (kind, body) = 500, as_json({"error": "internal error"})
            log("error", error=f"{type(error).__name__}: {error}", path=target.path)
        try:
            self.answer(status, kind, body)
        except OSError:
            pass  # the client went away; the line below says what it asked for
        if not QUIET:
            took = round((time.monotonic() - started) * 1000, 2)
            log("info", method=self.command, path=target.path, status=status, duration_ms=took)

    do_HEAD = do_GET

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send one complete response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence the default log; `do_GET` writes a better line."""


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
