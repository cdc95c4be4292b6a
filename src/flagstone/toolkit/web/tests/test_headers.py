"""The headers on every answer, and what is compressed."""

from __future__ import annotations

import asyncio
import zlib

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flagstone.toolkit.web.headers import HeadersMiddleware
from flagstone.toolkit.web.tests.calling import call

BIG = "<p>text</p>" * 500


async def _chunks():
    yield "data: one\n\n"
    yield "data: two\n\n"


async def _rows():
    for _ in range(3):
        yield BIG


ANSWERS = {
    "/page": lambda: HTMLResponse(BIG, headers={"Vary": "HX-Request", "ETag": '"a"'}),
    "/small": lambda: HTMLResponse("<p>hi</p>"),
    "/json": lambda: JSONResponse({"items": ["x" * 40] * 60}),
    "/events": lambda: StreamingResponse(_chunks(), media_type="text/event-stream"),
    "/stream": lambda: StreamingResponse(_rows(), media_type="text/html"),
    "/packed": lambda: Response(b"x" * 4000, media_type="text/html", headers={"Content-Encoding": "br"}),
    "/own": lambda: HTMLResponse(
        BIG, headers={"Content-Security-Policy": "default-src 'none'", "Cache-Control": "max-age=60"}
    ),
    "/image": lambda: Response(b"x" * 4000, media_type="image/png"),
    "/empty": lambda: Response(status_code=204),
}


async def _answer(request):
    return ANSWERS[request.url.path]()


APP = HeadersMiddleware(Starlette(routes=[Route(path, _answer) for path in ANSWERS]))


def test_every_answer_has_the_strict_policy():
    headers = call(APP, "/page").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_what_a_page_set_itself_is_kept():
    headers = call(APP, "/own", headers={"cookie": "s=1"}).headers
    assert headers["content-security-policy"] == "default-src 'none'"
    assert headers["cache-control"] == "max-age=60"


@pytest.mark.parametrize("credentials", [{"cookie": "session=1"}, {"authorization": "Bearer x"}])
def test_a_personal_page_is_not_stored(credentials):
    assert call(APP, "/page", headers=credentials).headers["cache-control"] == "no-store"
    assert call(APP, "/json", headers=credentials).headers["cache-control"] == "no-store"


def test_a_public_page_may_be_stored():
    assert "cache-control" not in call(APP, "/page").headers


@pytest.mark.parametrize("coding", ["br", "gzip"])
@pytest.mark.parametrize("path", ["/page", "/json"])
def test_big_pages_are_compressed(path, coding):
    answer = call(APP, path, headers={"accept-encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert len(answer.text) > 1024
    assert "Accept-Encoding" in answer.headers["vary"]


def test_compression_weakens_the_etag_and_keeps_vary():
    headers = call(APP, "/page", headers={"accept-encoding": "gzip"}).headers
    assert headers["etag"] == 'W/"a"'
    assert headers["vary"] == "HX-Request, Accept-Encoding"


def test_a_stream_of_events_is_never_compressed():
    answer = call(APP, "/events", headers={"accept-encoding": "br, gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.text == "data: one\n\ndata: two\n\n"


@pytest.mark.parametrize("path", ["/small", "/packed", "/image", "/empty"])
def test_small_packed_and_binary_answers_are_left_alone(path):
    sent = _drive(path)
    coding = dict(sent[0]["headers"]).get(b"content-encoding")
    assert coding == (b"br" if path == "/packed" else None)


def test_a_streamed_page_arrives_piece_by_piece():
    sent = _drive("/stream")
    bodies = [message["body"] for message in sent[1:]]
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(bodies[0]).decode() == BIG
    assert (reader.decompress(b"".join(bodies[1:])) + reader.flush()).decode() == BIG * 2


def _drive(path):
    """The messages that go to the server, as they are."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"accept-encoding", b"gzip")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("localhost", 1),
    }
    asyncio.run(APP(scope, receive, send))
    return sent
