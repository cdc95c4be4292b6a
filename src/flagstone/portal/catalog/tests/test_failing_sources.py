"""Servers that misbehave: nothing is deleted, nothing appears twice, and the report says what happened."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.http import AllowedHost, Fetcher


class Misbehaving:
    """A real server that answers as it is told: status, headers, body, or nothing at all."""

    def __init__(self):
        self.status, self.headers, self.body, self.length, self.hangs = 200, {}, b"", None, False
        self.asked = []
        self.released = threading.Event()
        me = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                me.asked.append({name.lower(): value for name, value in self.headers.items()})
                if me.hangs:
                    me.released.wait(20)
                    return
                since = self.headers.get("If-Modified-Since")
                same = since is not None and since == me.headers.get("Last-Modified")
                body = b"" if same else me.body
                self.send_response(304 if same else me.status)
                for name, value in me.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if me.length is None else me.length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}/catalog-info.yaml"
        self.fetcher = Fetcher([AllowedHost.parse(self.host)], setting="sources.allowed_hosts")

    def close(self):
        self.released.set()
        self.fetcher.close()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def remote(small, component):
    server = Misbehaving()
    server.body = f"{component('far')}---\n{component('near')}".encode()
    small.fetched = partial(server.fetcher.fetch, timeout=1.0)
    small.location = small.add(server.url, "url")
    yield server
    server.close()


BOTH = ["component:default/far", "component:default/near"]
FAULTS = {
    "403": (lambda s: setattr(s, "status", 403), "403"),
    "404": (lambda s: setattr(s, "status", 404), "404"),
    "500": (lambda s: setattr(s, "status", 500), "500"),
    "a web page": (lambda s: setattr(s, "body", b"<!doctype html><title>Sign in</title>"), "web page"),
    "endless redirects": (lambda s: (setattr(s, "status", 302), s.headers.update(Location=s.url)), "redirected"),
    "a redirect inwards": (
        lambda s: (setattr(s, "status", 302), s.headers.update(Location="http://169.254.169.254/")),
        "not among the hosts",
    ),
    "half a file": (lambda s: setattr(s, "length", len(s.body) * 2), "can not be reached"),
    "silence": (lambda s: setattr(s, "hangs", True), "did not answer"),
    "100 MB": (lambda s: setattr(s, "length", 100_000_000), "larger than"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_misbehaves_deletes_nothing_and_is_told_about(small, remote, name):
    assert small.refs() == BOTH
    break_it, words = FAULTS[name]
    break_it(remote)
    with pytest.raises(FlagstoneError):
        small.read(small.location, force=True)
    assert small.refs() == BOTH
    (problem,) = small.problems()
    assert (problem.code, words in problem.message) == ("catalog.source_failed", True), problem.message
    assert problem.hint
    assert small.store.locations.get(small.location.id).state == "failed"


def test_half_a_file_that_ends_in_the_middle_of_a_document_keeps_what_was_there(small, remote, component):
    remote.body = component("far").encode() + b"---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetad"
    small.read(small.location, force=True)
    assert small.refs() == BOTH
    assert [problem.code for problem in small.problems()]


def test_a_file_with_a_time_is_asked_for_only_if_it_changed_since(small, remote, component):
    remote.headers["Last-Modified"] = "Tue, 24 Nov 2026 10:00:00 GMT"
    small.read(small.location, force=True)
    (report,) = small.read(small.location)
    assert report.unchanged
    assert remote.asked[-1]["if-modified-since"] == "Tue, 24 Nov 2026 10:00:00 GMT"
    remote.headers["Last-Modified"] = "Tue, 24 Nov 2026 11:00:00 GMT"
    remote.body = component("far", "search").encode() + b"---\n" + component("near").encode()
    (report,) = small.read(small.location)
    assert (report.changed, report.unchanged) == (1, False)


def test_a_file_without_etag_and_time_is_known_by_its_content(small, remote):
    assert small.location.version.startswith("sha256 ")
    (report,) = small.read(small.location)
    assert report.unchanged
    assert "if-none-match" not in remote.asked[-1]
