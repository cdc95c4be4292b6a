"""The HTTP server of the fake GitHub, with its faults."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from nacl.public import PrivateKey

from flagstone.testing.github.routes import ROUTES
from flagstone.testing.github.state import FIRST, Fault, Plumbing, Refusal, Repo, http_backend, stamp
from flagstone.toolkit.git import GitRepository

_GIT = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+)\.git/(?P<rest>info/refs|git-(?:upload|receive)-pack)")
_API = "/api/v3"


class FakeGitHub:
    """See the package. ``login`` is the account of the token; every other owner is an organisation."""

    def __init__(self, folder: Path, *, token: str = "ghp_fake_token", login: str = "acme-bot") -> None:  # noqa: S107
        self.folder = folder
        self.token = token
        self.login = login
        self.repos: dict[str, Repo] = {}
        self.asked: list[str] = []
        """``METHOD /path`` of every request."""
        self.not_modified = 0
        self._made = 0
        self.unknown: list[str] = []
        self.done: Counter[str] = Counter()
        """How often each kind of side effect happened."""
        self.faults: list[Fault] = []
        self.tells_runs = True
        self.names_runs = True
        self.app_tokens = 0
        self.app_token_until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        self.private_key = PrivateKey.generate()
        folder.mkdir(parents=True, exist_ok=True)
        self.plumbing = Plumbing(folder)
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.api = self.url + _API
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def repository(self, name: str, files: Mapping[str, str] | None = None, /, **facts: Any) -> Repo:
        """Host a repository ``owner/name`` with a first commit on main, or an empty one."""
        owner, _, plain = name.partition("/")
        self._made += 1
        git = GitRepository(self.folder / f"{owner}__{plain}__{self._made}.git", self.plumbing.environment)
        git.init_bare()
        given = {key: value for key, value in facts.items() if key not in ("name", "auto_init")}
        repo = Repo(owner, plain, git, {"description": None, "created_at": stamp(), **given})
        if files is not None:
            repo.commit("main", files, at=FIRST)
        self.repos[name.lower()] = repo
        return repo

    def fail(self, kind: str, *, match: str = "", times: int = 1, after: bool = False, skip: int = 0) -> None:
        """Let the next requests in whose ``METHOD /path`` the pattern ``match`` is found go wrong.

        Kinds: 401, 403, 500, 429, moved, limited (primary), secondary, upgrade, reset, truncated, html, slow.
        """
        self.faults.append(Fault(kind, match, times, after, skip))

    def count(self, what: str) -> None:
        """Note a side effect."""
        self.done[what] += 1

    def fault_for(self, request: str) -> Fault | None:
        """The fault that meets this request; it is used up."""
        with self.lock:
            for fault in self.faults:
                if not fault.times or not re.search(fault.match, request):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """What an endpoint says. Raises Refusal."""
        for wanted, pattern, call in ROUTES:
            found = pattern.match(path)
            if found is None or not re.fullmatch(wanted, method):
                continue
            given: dict[str, Any] = {key: value for key, value in found.groupdict().items() if value is not None}
            if "name" in given:
                repo = self.repos.get(f"{given['owner']}/{given['name']}".lower())
                if repo is None:
                    raise Refusal(404, "Not Found")
                given["repo"] = repo
            with self.lock:
                return call(self, **given, query=query, body=body)
        self.unknown.append(f"{method} {path}")
        raise Refusal(404, "Not Found")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: FakeGitHub


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as in the base class
        """Nothing is printed."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request = f"{self.command} {parts.path.removeprefix(_API)}"
        self.server.hub.asked.append(request)
        fault = self.server.hub.fault_for(request)
        if fault is not None and not fault.after:
            self._fail(fault.kind)
            return
        git = _GIT.fullmatch(parts.path)
        status, headers, data = self._git(git, parts.query, body) if git else self._rest(parts, body)
        if fault is not None:
            self._fail(fault.kind, data)
            return
        self._send(status, headers, data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  names of the base class

    def _rest(self, parts: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        app_call = "/installation" in parts.path
        if not app_call and self.headers.get("authorization") != f"Bearer {self.server.hub.token}":
            return 401, {}, b'{"message": "Bad credentials"}'
        query = dict(parse_qsl(parts.query))
        page = int(query.get("page", 1))
        try:
            path = unquote(parts.path.removeprefix(_API))
            found = self.server.hub.answer(self.command, path, query, json.loads(body) if body else None)
        except Refusal as refused:
            return refused.status, {}, json.dumps(refused.body).encode()
        if isinstance(found, list):
            size = int(query.get("per_page", 30))
            found = found[(page - 1) * size : page * size]
        if found is None:
            return 204, {}, b""
        data = json.dumps(found).encode()
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if self.command == "GET" and self.headers.get("if-none-match") == etag:
            self.server.hub.not_modified += 1
            return 304, {"etag": etag}, b""
        return 200 if self.command == "GET" else 201, {"etag": etag}, data

    def _git(self, found: re.Match[str], query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        basic = base64.b64encode(f"x-access-token:{self.server.hub.token}".encode()).decode()
        if self.headers.get("authorization") != f"Basic {basic}":
            return 401, {"www-authenticate": 'Basic realm="GitHub"'}, b""
        repo = self.server.hub.repos.get(f"{found['owner']}/{found['name']}".lower())
        if repo is None:
            return 404, {}, b"Repository not found."
        if found["rest"] == "git-receive-pack":
            self.server.hub.count("push")
        variables = {
            "REQUEST_METHOD": self.command,
            "GIT_PROJECT_ROOT": str(repo.git.path.parent),
            "PATH_INFO": f"/{repo.git.path.name}/{found['rest']}",
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("content-type") or "",
            "CONTENT_LENGTH": str(len(body)),
        }
        head, _, data = http_backend(repo, self.server.hub.plumbing.environment, variables, body).partition(b"\r\n\r\n")
        headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return status, {key.lower(): value for key, value in headers.items()}, data

    def _send(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.send_response(status)
        for key, value in {"content-type": "application/json; charset=utf-8", **headers}.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, kind: str, data: bytes = b'{"message": "done"}') -> None:
        limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 90)}
        answers: dict[str, tuple[int, dict[str, str], bytes]] = {
            "limited": (403, limited, b'{"message": "API rate limit exceeded for user ID 7."}'),
            "secondary": (403, {"retry-after": "7"}, b'{"message": "You have exceeded a secondary rate limit."}'),
            "429": (429, {"retry-after": "11"}, b'{"message": "Too many requests"}'),
            "403": (
                403,
                {"x-accepted-github-permissions": "administration=write"},
                b'{"message": "Not accessible"}',
            ),
            "upgrade": (403, {}, b'{"message": "Upgrade to GitHub Pro to enable this feature."}'),
            "moved": (307, {"location": "/elsewhere"}, b'{"message": "Moved Permanently"}'),
            "html": (200, {"content-type": "text/html"}, b"<!DOCTYPE html><html><body>Sign in</body></html>"),
        }
        if kind in answers:
            self._send(*answers[kind])
        elif kind == "reset":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
        elif kind == "truncated":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data) + 50))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif kind == "slow":
            time.sleep(0.3)
            self._send(200, {}, data)
        else:
            self._send(int(kind), {}, b'{"message": "It went wrong"}')
