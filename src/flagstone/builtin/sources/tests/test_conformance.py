"""The built-in sources pass the suite: over real files, over a real HTTP server, and over the hosting's interface."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flagstone.builtin.sources import FileSource, HostedSource, UrlSource
from flagstone.contracts.repositories import FileContent, TreeEntry
from flagstone.kernel.errors import NotFound, Unavailable
from flagstone.sdk import SourceContext
from flagstone.testing.suites.source_suite import SourceBench, SourceSuite
from flagstone.toolkit.http import AllowedHost, Fetcher


def nothing(*_arguments, **_options):
    raise AssertionError("not asked for here")


class FileBench(SourceBench):
    def __init__(self, folder):
        self.folder = folder / "in"
        self.folder.mkdir()
        self.source = FileSource()
        self.ctx = SourceContext([str(self.folder)], nothing, nothing, nothing, nothing)

    def put(self, path, content):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def remove(self, path):
        (self.folder / path).unlink()

    def target(self, path):
        return str(self.folder / path)

    def break_down(self):
        self.ctx = SourceContext([], nothing, nothing, nothing, nothing)


class HostedBench(SourceBench):
    def __init__(self):
        self.files = {}
        self.up = True
        self.source = HostedSource()
        self.ctx = SourceContext([], nothing, self._read, self._tree, self._head)

    def _head(self, _repository):
        if not self.up:
            raise Unavailable("git.down", "the hosting does not answer")
        return hashlib.sha1(repr(sorted(self.files.items())).encode(), usedforsecurity=False).hexdigest()

    def _read(self, _repository, path, commit):
        if path not in self.files:
            raise NotFound("git.no_file", "none")
        content = self.files[path]
        return FileContent(path=path, commit=commit or self._head(""), size=len(content), text=content.decode())

    def _tree(self, _repository, _commit):
        return [
            TreeEntry(path=path, type="blob", object_id=hashlib.sha256(content).hexdigest())
            for path, content in self.files.items()
        ]

    def put(self, path, content):
        self.files[path] = content

    def remove(self, path):
        del self.files[path]

    def target(self, path):
        return f"shop/checkout/{path}"

    def break_down(self):
        self.up = False


class UrlBench(SourceBench):
    def __init__(self):
        files = self.files = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                content = files.get(self.path)
                etag = f'"{hashlib.sha256(content).hexdigest()}"' if content is not None else ""
                status = 404 if content is None else 304 if self.headers.get("If-None-Match") == etag else 200
                body = content if status == 200 else b""
                self.send_response(status)
                if etag:
                    self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.source = UrlSource()
        self.fetcher = Fetcher([AllowedHost.parse(f"127.0.0.1:{self.port}")], setting="sources.allowed_hosts")
        self.ctx = SourceContext([], self.fetcher.fetch, nothing, nothing, nothing)

    def put(self, path, content):
        self.files[f"/catalog/{path}"] = content

    def remove(self, path):
        del self.files[f"/catalog/{path}"]

    def target(self, path):
        return f"http://127.0.0.1:{self.port}/catalog/{path}"

    def break_down(self):
        self.server.shutdown()
        self.server.server_close()


class TestFileSource(SourceSuite):
    @pytest.fixture
    def bench(self, tmp_path):
        return FileBench(tmp_path)


class TestHostedSource(SourceSuite):
    @pytest.fixture
    def bench(self):
        return HostedBench()


class TestUrlSource(SourceSuite):
    @pytest.fixture
    def bench(self):
        bench = UrlBench()
        yield bench
        bench.fetcher.close()
        if not getattr(bench.server, "_BaseServer__shutdown_request", False):
            bench.server.shutdown()
        bench.server.server_close()
