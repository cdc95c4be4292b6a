"""``http:request`` killed between what the other side did and the result: by its method, and by what is said of the server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flagstone.builtin.actions.http import HttpRequest
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.testing.actions import ANN
from tests.crashes.power_cut import POINTS, RUN, Machine, Subject


class Shop:
    """A server with orders. It counts: ``asked`` are (method, key) of all requests, ``orders`` what they led to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.orders: list[str] = []
        self.item: bytes | None = b"old"
        self.busy: list[int] = []
        self.answers = threading.Event()
        """Set: at once. Otherwise it lets those who ask wait."""
        self.answers.set()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status = shop.serve(self.command, self.headers.get("idempotency-key"), body)
                if not shop.answers.wait(5):
                    return
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  the library's names

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def serve(self, method: str, key: str | None, body: bytes) -> int:
        known = key is not None and (method, key) in self.asked
        self.asked.append((method, key))
        if self.busy:
            return self.busy.pop()
        if method in ("POST", "PATCH") and not known:
            self.orders.append(body.decode())
        if method == "PUT":
            self.item = body
        if method == "DELETE":
            gone, self.item = self.item is None, None
            return 404 if gone else 204
        return 200


@pytest.fixture
def shop():
    made = Shop()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def machine(shop, tmp_path, monkeypatch):
    made = []

    def make(**inputs):
        settings = ActionsSettings(allowed_hosts=(shop.host,))

        def action(bench, _):
            return HttpRequest(bench.tools.http((shop.host,), setting="actions.allowed_hosts"), settings)

        made.append(Machine(tmp_path, Subject(action, {"url": f"http://{shop.host}/orders", **inputs}), monkeypatch))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_sent_twice_is_sent_again_after_a_crash(machine, shop, method):
    server = machine(method=method, body=None if method == "GET" else "new")
    for point in POINTS:
        server.live(point)
    assert server.live() == "succeeded", server.view().error
    assert shop.item == {"GET": b"old", "PUT": b"new", "DELETE": None}[method]
    assert len(shop.asked) == 3, "after the side effect, before the result, and at last"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_a_server_does_once_for_a_key_is_sent_again_with_the_same_key(machine, shop, method):
    server = machine(method=method, body="book", repeatable=True)
    for point in POINTS:
        server.live(point)
    assert server.live() == "succeeded"
    assert shop.orders == ["book"]
    assert len(shop.asked) == 3
    ((_, key),) = set(shop.asked)
    assert key


@pytest.mark.parametrize("point", ["after_intent", "after_effect", "before_result"])
def test_a_person_is_asked_where_nobody_can_tell_whether_a_post_was_done(machine, shop, point):
    server = machine(method="POST", body="book")
    server.live(point)
    sent = 0 if point == "after_intent" else 1
    assert (server.live(), len(shop.asked)) == ("unknown", sent)
    assert server.view().error["code"] == "runs.outcome_unknown"
    server.harness.runs.retry(RUN, ANN)
    assert server.live() == "succeeded"
    assert len(shop.asked) == sent + 1
    ((_, key),) = set(shop.asked)
    assert key, "the same in all attempts, so that a server that looks at it does it once"


@pytest.mark.parametrize(("status", "inputs"), [(503, {}), (429, {}), (502, {"method": "POST", "repeatable": True})])
def test_a_busy_server_is_asked_again(machine, shop, status, inputs):
    shop.busy = [status]
    assert machine(**inputs).live() == "succeeded"
    assert len(shop.asked) == 2


def test_a_busy_server_that_got_a_post_is_not_asked_again_by_itself(machine, shop):
    shop.busy = [503]
    server = machine(method="POST")
    assert (server.live(), len(shop.asked)) == ("failed", 1)
    assert "503" in server.view().error["detail"]


def test_a_post_that_was_not_answered_in_time_is_said_to_be_uncertain_and_sent_once(machine, shop):
    shop.answers.clear()
    server = machine(method="POST", body="book", timeout=200)
    assert (server.live(), shop.orders) == ("failed", ["book"])
    assert "Nobody can tell" in server.view().error["detail"]
    assert "same Idempotency-Key" in server.view().error["hint"]
    shop.answers.set()
    assert len(shop.asked) == 1
