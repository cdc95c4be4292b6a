"""The HTTP front, against upstreams and clients that speak raw bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time

import httpx
import pytest

from flagstone.builtin.local_process.front import Front, FrontLoop


@pytest.fixture
def loop():
    loop = FrontLoop()
    yield loop
    loop.close()


class Upstream:
    """Accepts connections and lets a function talk on each; ``heard`` holds the heads."""

    def __init__(self, talk):
        self.talk, self.heard, self.open = talk, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self.open += 1
        with connection, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                chunk = connection.recv(65536)
                if not chunk:
                    break
                data += chunk
            head, _, rest = data.partition(b"\r\n\r\n")
            self.heard.append(head)
            self.talk(connection, head, rest)
        self.open -= 1


@pytest.fixture
def front(loop):
    made = []

    def make(talk):
        upstream = Upstream(talk)
        front = Front(loop, "127.0.0.1", "shop <x>")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert front.listen(port)
        front.point_to(upstream.port)
        made.append((front, upstream))
        return front, upstream

    yield make
    for front, upstream in made:
        front.close()
        upstream.listener.close()


def answer(body=b"ok", *, status=b"200 OK", headers=b""):
    def talk(connection, head, rest):
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), headers) + body)

    return talk


def raw(front, data, *, shutdown=False, seconds=5):
    """Everything the front answers to bytes."""
    with socket.create_connection(("127.0.0.1", front.port), timeout=seconds) as client:
        client.sendall(data)
        if shutdown:
            client.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while chunk := client.recv(65536):
                found += chunk
        return found


def test_the_session_of_the_portal_never_reaches_a_workload_and_cannot_be_set_by_one(front):
    one, upstream = front(answer(headers=b"Set-Cookie: flagstone_session=evil; Path=/\r\nSet-Cookie: mine=1\r\n"))
    cookie = "a=1; flagstone_session=secret; b=2;flagstone_csrf=x; FLAGSTONE_SESSION=y; __Host-flagstone_session=z"
    found = httpx.get(f"http://127.0.0.1:{one.port}/", headers={"cookie": cookie})
    head = upstream.heard[0]
    assert b"secret" not in head
    assert b"Cookie: a=1; b=2" in head or b"cookie: a=1; b=2" in head
    assert b"flagstone_" not in head.lower().replace(b"flagstone-", b"")
    assert found.headers.get_list("set-cookie") == ["mine=1"]
    httpx.get(f"http://127.0.0.1:{one.port}/", headers={"cookie": "flagstone_session=secret"})
    assert b"cookie" not in upstream.heard[1].lower()


def test_the_workload_is_told_where_a_request_came_from(front):
    one, upstream = front(answer())
    httpx.get(
        f"http://127.0.0.1:{one.port}/a?b=c",
        headers={"x-forwarded-for": "6.6.6.6", "forwarded": "for=6.6.6.6", "host": "shop.example"},
    )
    head = upstream.heard[0]
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"X-Forwarded-For: 127.0.0.1" in head
    assert b"X-Forwarded-Host: shop.example" in head
    assert b"X-Forwarded-Proto: http" in head
    assert b"6.6.6.6" not in head


def test_headers_for_one_connection_only_are_not_passed_on(front):
    one, upstream = front(answer(headers=b"Connection: X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=1\r\n"))
    data = raw(
        one,
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\nProxy-Authorization: a\r\n\r\n",
    )
    assert b"X-Private: 1" not in data
    assert b"Keep-Alive" not in data
    head = upstream.heard[0]
    for word in (b"X-Secret", b"TE:", b"Proxy-Authorization"):
        assert word not in head


def test_a_connection_is_used_for_many_requests(front):
    one, upstream = front(answer())
    data = raw(one, b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert data.count(b"HTTP/1.1 200 OK") == 2
    assert [head.split(b" ")[1] for head in upstream.heard] == [b"/1", b"/2"]


def test_large_bodies_stream_both_ways(front):
    def echo_digest(connection, head, rest):
        length = int(
            next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split(b":")[1]
        )
        digest = hashlib.sha256(rest)
        left = length - len(rest)
        while left:
            chunk = connection.recv(65536)
            digest.update(chunk)
            left -= len(chunk)
        body = os.urandom(1_000_000)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nX-Digest: %s\r\nContent-Length: 30000000\r\n\r\n" % digest.hexdigest().encode()
        )
        for _ in range(30):
            connection.sendall(body)

    one, _ = front(echo_digest)
    data = os.urandom(20_000_000)
    found = httpx.post(f"http://127.0.0.1:{one.port}/", content=data, timeout=30)
    assert found.headers["x-digest"] == hashlib.sha256(data).hexdigest()
    assert len(found.content) == 30_000_000


def test_chunked_bodies_pass_in_both_directions(front):
    def talk(connection, head, rest):
        while not rest.endswith(b"0\r\n\r\n"):
            rest += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b"5;x=y\r\nhello\r\n", b"%x\r\n%s\r\n" % (len(rest), rest), b"0\r\nTrailer: x\r\n\r\n"):
            connection.sendall(part)
            time.sleep(0.02)

    one, _ = front(talk)
    with httpx.Client() as client:
        for _ in range(2):
            found = client.post(f"http://127.0.0.1:{one.port}/", content=iter([b"abc", b"defg"]))
            assert found.content == b"hello3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"


def test_a_client_of_http_1_0_gets_chunks_unpacked(front):
    one, _ = front(
        lambda connection, head, rest: connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
    )
    head, _, body = raw(one, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").partition(b"\r\n\r\n")
    assert body == b"abcde"
    assert b"transfer-encoding" not in head.lower()
    assert b"Connection: close" in head


def test_events_reach_the_client_as_they_come_and_an_idle_stream_ends_with_its_client(front):
    def talk(connection, head, rest):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        connection.recv(1)  # returns when the front hangs up

    one, upstream = front(talk)
    with httpx.stream("GET", f"http://127.0.0.1:{one.port}/") as stream:
        assert next(stream.iter_raw()) == b"data: 1\n\n"
        assert upstream.open == 1
    deadline = time.monotonic() + 8
    while upstream.open and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upstream.open == 0


def test_a_websocket_is_spliced(front):
    def talk(connection, head, rest):
        assert b"Upgrade: websocket" in head
        assert b"Connection: Upgrade" in head
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhi"
        )
        while chunk := connection.recv(100):
            connection.sendall(chunk.upper())

    one, _ = front(talk)
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as client:
        client.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
        )
        data = b""
        while not data.endswith(b"hi"):
            data += client.recv(1000)
        assert data.startswith(b"HTTP/1.1 101 ")
        for word in (b"one", b"two"):
            client.sendall(word)
            assert client.recv(100) == word.upper()


def test_an_old_upstream_that_ends_by_closing_works(front):
    def talk(connection, head, rest):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    one, _ = front(talk)
    assert httpx.get(f"http://127.0.0.1:{one.port}/").text == "all of it"


def test_answers_without_a_body_do_not_hang(front):
    one, _ = front(answer(b"", status=b"204 No Content"))
    with httpx.Client(timeout=3) as client:
        assert client.get(f"http://127.0.0.1:{one.port}/").status_code == 204
        assert client.delete(f"http://127.0.0.1:{one.port}/").status_code == 204
    two, _ = front(lambda connection, head, rest: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"))
    with httpx.Client(timeout=3) as client:
        assert client.head(f"http://127.0.0.1:{two.port}/").headers["content-length"] == "500"
        assert client.head(f"http://127.0.0.1:{two.port}/").status_code == 200


def test_a_client_that_waits_for_a_hundred_gets_it(front):
    one, upstream = front(lambda connection, head, rest: answer(rest or connection.recv(10))(connection, head, b""))
    with socket.create_connection(("127.0.0.1", one.port), timeout=3) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"body")
        assert b"200 OK" in client.recv(1000)
    assert b"expect" not in upstream.heard[0].lower()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_requests_that_could_be_read_in_two_ways_are_refused(front, request_):
    one, upstream = front(answer())
    data = raw(one, request_)
    assert data.startswith(b"HTTP/1.1 400 ")
    assert data.count(b"HTTP/1.1 ") == 1
    assert upstream.heard == []


def test_a_head_that_is_too_large_is_refused(front):
    one, upstream = front(answer())
    data = raw(one, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 431 ") or data == b""
    assert upstream.heard == []


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\0\1\2\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_an_upstream_that_talks_nonsense_is_a_bad_gateway(front, nonsense):
    one, _ = front(lambda connection, head, rest: connection.sendall(nonsense))
    assert httpx.get(f"http://127.0.0.1:{one.port}/").status_code == 502


def test_an_answer_that_breaks_off_is_not_taken_for_complete(front):
    one, _ = front(
        lambda connection, head, rest: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    )
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{one.port}/")
    two, _ = front(
        lambda connection, head, rest: connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
        )
    )
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{two.port}/")


def test_nobody_there_is_a_small_page_that_says_why(front):
    one, _ = front(answer())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        one.point_to(probe.getsockname()[1])
    found = httpx.get(f"http://127.0.0.1:{one.port}/")
    assert found.status_code == 503
    assert found.headers["retry-after"] == "2"
    one.close_service("is stopped")
    found = httpx.get(f"http://127.0.0.1:{one.port}/")
    assert "shop &lt;x&gt; is stopped" in found.text
    assert httpx.head(f"http://127.0.0.1:{one.port}/").status_code == 503
    assert httpx.post(f"http://127.0.0.1:{one.port}/", content=b"x" * 1000).status_code == 503


def test_draining_waits_for_requests_in_progress(front):
    release = threading.Event()

    def slow(connection, head, rest):
        release.wait(5)
        answer(b"slow but complete")(connection, head, rest)

    one, first = front(slow)
    second = Upstream(answer(b"new"))
    found = []
    thread = threading.Thread(target=lambda: found.append(httpx.get(f"http://127.0.0.1:{one.port}/", timeout=10).text))
    thread.start()
    while not first.heard:
        time.sleep(0.01)
    former = one.point_to(second.port)
    assert one.drain(former, 0.2) == 1
    assert httpx.get(f"http://127.0.0.1:{one.port}/").text == "new"
    threading.Timer(0.2, release.set).start()
    assert one.drain(former, 5) == 0
    thread.join(5)
    assert found == ["slow but complete"]
    second.listener.close()


def test_slow_and_silent_clients_do_not_hold_up_others(front):
    one, _ = front(answer())
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", one.port)))
            client.sendall(b"GET / HT")
        begin = time.monotonic()
        for _ in range(20):
            assert httpx.get(f"http://127.0.0.1:{one.port}/").status_code == 200
        assert time.monotonic() - begin < 25


def test_a_port_that_is_taken_is_said_to_be(loop, front):
    one, _ = front(answer())
    assert not Front(loop, "127.0.0.1", "other").listen(one.port)
