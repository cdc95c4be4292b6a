"""Answers as they arrive: whole ones, streams, ones without a body, on one kept connection."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
import uvicorn

from flagstone.toolkit.web.wire import JoiningProtocol, JoiningTransport


class _App:
    """Answers by path; ``/later`` sends its body when it is told to."""

    def __init__(self):
        self.go_on = threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        path = scope["path"]
        length = {"/whole": b"5", "/nothing": b"0", "/large": b"3000000"}.get(path)
        headers = [(b"content-length", length)] if length else []
        await send({"type": "http.response.start", "status": 204 if path == "/204" else 200, "headers": headers})
        if path == "/later":
            await asyncio.to_thread(self.go_on.wait, 10)
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await send({"type": "http.response.body", "body": b"two"})
            return
        body = {"/whole": b"hello", "/large": b"x" * 3_000_000}.get(path, b"")
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def served():
    app = _App()
    config = uvicorn.Config(app, http=JoiningProtocol, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        yield app, client
    server.should_exit = True
    thread.join(10)


def test_answers_follow_each_other_on_one_connection(served):
    _, client = served
    for _ in range(3):
        assert client.get("/whole").text == "hello"
        assert client.get("/nothing").content == b""
        assert client.head("/whole").headers["content-length"] == "5"
        assert client.get("/204").status_code == 204
        assert len(client.get("/large").content) == 3_000_000


def test_the_head_of_a_stream_does_not_wait_for_its_body(served):
    app, client = served
    app.go_on.clear()
    with client.stream("GET", "/later") as answer:
        assert answer.status_code == 200
        app.go_on.set()
        assert answer.read() == b"onetwo"


def test_a_connection_that_closes_sends_what_was_kept(served):
    _, client = served
    answer = client.get("/whole", headers={"Connection": "close"})
    assert answer.text == "hello"
    assert client.get("/204", headers={"Connection": "close"}).status_code == 204


class _Wire(asyncio.Transport):
    """Remembers the writes."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, data):
        self.writes.append(bytes(data))

    def writelines(self, list_of_data):
        self.writes.append(b"".join(list_of_data))

    def close(self):
        self.writes.append(b"closed")


def test_head_and_body_are_one_write():
    async def answered():
        wire = _Wire()
        transport = JoiningTransport(wire)
        transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        transport.write(b"hello")
        transport.write(b"more")
        transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        transport.close()
        return wire.writes

    assert asyncio.run(answered()) == [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"more",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"closed",
    ]
