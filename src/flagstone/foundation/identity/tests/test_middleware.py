"""Who sent this request, and did they mean to? Attacks included."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated

import pytest
from fastapi import APIRouter, Request, WebSocket

from flagstone.contracts.claims import sign_actor
from flagstone.foundation.access import public
from flagstone.foundation.identity import COOKIE, make_token
from flagstone.kernel.actor import Principal
from flagstone.sdk.guards import Guard
from flagstone.testing.client import BASE_URL, Client
from flagstone.testing.foundation import Foundation
from flagstone.testing.people import OWNERS, PASSWORD

SECRET = "a-secret-that-portal-and-platform-share"


def echo() -> APIRouter:
    router = APIRouter()

    @router.api_route("/who", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    @router.api_route("/git/x", methods=["GET", "POST"])
    async def who(request: Request, principal: Annotated[Principal, public("a test")]) -> dict[str, object]:
        fields = {}
        if "form" in request.headers.get("content-type", ""):
            async with request.form() as form:
                fields = {key: str(value) for key, value in form.items()}
        return {
            "id": principal.id,
            "via": principal.via,
            "groups": sorted(principal.groups),
            "csrf": getattr(request.state, "csrf_token", ""),
            "form": fields,
        }

    @router.websocket("/socket")
    async def socket(socket: WebSocket, principal: Annotated[Principal, public("a test")]) -> None:
        await socket.accept()
        await socket.send_text(principal.id)
        await socket.close()

    return router


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def app(foundation):
    return foundation.app(echo(), actor_secret=SECRET)


@pytest.fixture
def client(app):
    return Client(app)


@pytest.fixture
def browser(foundation, people, app):
    """Ada's browser, signed in, as her session's cookie makes it."""
    client = Client(app)
    client.cookies.set(COOKIE, foundation.identity.sign_in("dora", PASSWORD).secret)
    return client


def basic(username, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def test_nobody_is_anonymous(client):
    assert client.get("/who").json()["id"] == "anonymous"


def test_a_token_speaks_for_its_owner_as_bearer_or_as_the_password_of_git(client, people):
    bearer = client.get("/who", headers=people.developer.headers).json()
    assert (bearer["id"], bearer["via"]) == (people.developer.account.actor_id, "api")
    assert OWNERS in bearer["groups"]
    assert client.get("/who", headers=people.developer.headers | {"User-Agent": "flagstone/1"}).json()["via"] == "cli"
    token = people.developer.token
    for headers in (basic("dora", token), basic("anything", token), basic(token, "")):
        assert client.get("/git/x", headers=headers).json()["via"] == "git"


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer nothing",
        "Bearer",
        "Bearer ",
        "",
        "nothing",
        pytest.param(f"Bearer {make_token()}", id="unknown"),
        pytest.param(f"Bearer {make_token()[:-1]}", id="cut"),
        "Bearer null",
        "Bearer anonymous",
        "Bearer " + "x" * 40,
        "Bearer ' OR '1'='1' -- aaaaaaaaaaaaaaaaaaaaaaaa",
        "Basic !!!",
        "Basic " + base64.b64encode(b"admin:admin").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Digest username=admin",
        "Negotiate abc",
        "bearer\tx",
    ],
)
def test_a_credential_that_does_not_work_is_refused_and_never_anonymous(client, people, credential):
    answer = client.get("/who", headers={"Authorization": credential})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_bad_token_is_not_saved_by_a_good_cookie(browser):
    assert browser.get("/who", headers={"Authorization": "Bearer nothing"}).status_code == 401


def test_a_password_is_not_a_token(client, people):
    assert client.get("/git/x", headers=basic("dora", PASSWORD)).status_code == 401
    assert client.get("/git/x", headers=basic("dora", PASSWORD)).headers["www-authenticate"].startswith("Basic")


def test_a_revoked_token_is_refused_at_once(client, foundation, people):
    identity, developer = foundation.identity, people.developer
    made = identity.tokens.create(developer.account, "t", actor=developer.principal)
    headers = {"Authorization": f"Bearer {made.text}"}
    assert client.get("/who", headers=headers).status_code == 200
    identity.tokens.revoke(developer.account, made.info.id, actor=developer.principal)
    answer = client.get("/who", headers=headers)
    assert (answer.status_code, "was revoked" in answer.json()["detail"]) == (401, True)
    assert made.text not in answer.text


def test_an_address_that_sends_wrong_tokens_again_and_again_has_to_wait(app, people):
    guesser, other = Client(app, address="10.1.1.1"), Client(app, address="10.1.1.2")
    for _ in range(30):
        assert guesser.get("/who", headers={"Authorization": f"Bearer {make_token()}"}).status_code == 401
    bad = {"Authorization": f"Bearer {make_token()}"}
    answer = guesser.get("/who", headers=bad)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert other.get("/who", headers=bad).status_code == 401
    assert guesser.get("/who", headers=people.admin.headers).status_code == 200, (
        "behind a proxy one address is everybody"
    )


# --- cookies and CSRF


def test_a_session_signs_its_pages_in(browser, people):
    answer = browser.get("/who").json()
    assert (answer["id"], answer["via"]) == (people.developer.account.actor_id, "ui")
    assert answer["csrf"]


@pytest.mark.parametrize("cookie", ["nonsense", "x" * 5000, "%00"])
def test_a_cookie_that_is_no_session_is_nobody(app, people, cookie):
    answer = Client(app, headers={"Cookie": f"{COOKIE}={cookie}"}).get("/who")
    assert (answer.status_code, answer.json()["id"]) == (200, "anonymous")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_change_by_cookie_needs_the_token_of_the_session(browser, method):
    csrf = browser.get("/who").json()["csrf"]
    assert browser.request(method, "/who").status_code == 403
    for wrong in ("", "x", csrf[:-1], csrf + "x", "ä"):
        assert browser.request(method, "/who", headers={"X-CSRF-Token": wrong.encode()}).status_code == 403
    answer = browser.request(method, "/who", headers={"X-CSRF-Token": csrf})
    assert answer.status_code == 200


def test_the_token_of_another_session_does_not_count(browser, foundation, app):
    other = Client(app)
    other.cookies.set(COOKIE, foundation.identity.sign_in("adam", PASSWORD).secret)
    theirs = other.get("/who").json()["csrf"]
    answer = browser.post("/who", headers={"X-CSRF-Token": theirs})
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.csrf")


@pytest.mark.parametrize("field", ["csrf_token", "_csrf"])
def test_a_form_brings_the_token_as_a_field_and_still_arrives_whole(browser, field):
    csrf = browser.get("/who").json()["csrf"]
    sent = {field: csrf, "name": "ä & b", "empty": ""}
    assert browser.post("/who", data=sent).json()["form"] == sent
    upload = browser.post("/who", data={field: csrf, "name": "x"}, files={"file": ("a.txt", b"\x00" * 200_000)})
    assert (upload.status_code, upload.json()["form"]["name"]) == (200, "x")
    assert browser.post("/who", data={"name": "x"}).status_code == 403
    assert browser.post("/who", data={"name": "x"}, files={field: ("t", csrf.encode())}).status_code == 403


def test_a_token_in_the_address_or_in_json_does_not_count(browser):
    csrf = browser.get("/who").json()["csrf"]
    assert browser.post(f"/who?csrf_token={csrf}").status_code == 403
    assert browser.post("/who", json={"csrf_token": csrf}).status_code == 403
    assert browser.post("/who", content=f"csrf_token={csrf}", headers={"Content-Type": "text/plain"}).status_code == 403


def test_a_huge_form_is_refused_before_it_fills_the_memory(browser):
    answer = browser.post(
        "/who", content=b"a=" + b"x" * (11 << 20), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9001"},
        {"Origin": "http://127.0.0.1:7070.evil.example"},
        {"Origin": "http://127.0.0.1:7070@evil.example"},
        {"Origin": ""},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": BASE_URL},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_token(browser, headers):
    csrf = browser.get("/who").json()["csrf"]
    answer = browser.post("/who", headers={"X-CSRF-Token": csrf, **headers})
    assert answer.status_code == 403
    assert answer.json()["code"] in ("identity.cross_site", "identity.wrong_origin")
    assert "refused" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": BASE_URL},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://seen.before.a.proxy"},
    ],
)
def test_ones_own_site_is_not_refused(browser, headers):
    csrf = browser.get("/who").json()["csrf"]
    assert browser.post("/who", headers={"X-CSRF-Token": csrf, **headers}).status_code == 200


def test_a_proxy_that_changes_the_host_is_explained_and_the_public_address_helps(foundation, people):
    secret = foundation.identity.sign_in("dora", PASSWORD).secret
    for public_url, status in (("", 403), ("https://portal.acme.example", 200)):
        browser = Client(foundation.app(echo(), public_url=public_url))
        browser.cookies.set(COOKIE, secret)
        csrf = browser.get("/who").json()["csrf"]
        answer = browser.post("/who", headers={"X-CSRF-Token": csrf, "Origin": "https://portal.acme.example"})
        assert answer.status_code == status
    assert (
        browser.post("/who", headers={"X-CSRF-Token": csrf, "Origin": "https://portal.acme.example:444"}).status_code
        == 403
    )


def test_programs_with_a_token_need_no_form_token_but_a_page_of_another_site_gets_nowhere(client, people):
    assert client.post("/who", headers=people.admin.headers).status_code == 200
    assert client.post("/who", headers=people.admin.headers | {"Origin": "https://evil.example"}).status_code == 403


def test_another_site_cannot_sign_somebody_in_either(client):
    assert client.post("/who", headers={"Origin": "https://evil.example"}).status_code == 403


# --- claims of a portal that runs apart


def test_a_claim_of_the_portal_says_who_acts(client, people):
    claim = sign_actor(people.developer.principal, SECRET)
    answer = client.post("/who", headers={"X-Flagstone-Actor": claim}).json()
    assert (answer["id"], answer["groups"]) == (
        people.developer.principal.id,
        sorted(people.developer.principal.groups),
    )


def test_a_forged_claim_is_refused_and_does_not_fall_back_to_a_good_token(client, people):
    forged = sign_actor(people.admin.principal, SECRET[::-1])
    for claim in (forged, "x", "", ".", "a.b"):
        answer = client.get("/who", headers={"X-Flagstone-Actor": claim, **people.developer.headers})
        assert answer.status_code == 401


def test_a_server_without_the_secret_takes_no_claim(foundation, people):
    client = Client(foundation.app(echo()))
    for secret in (SECRET, "0" * 32):
        claim = sign_actor(people.admin.principal, secret)
        assert client.get("/who", headers={"X-Flagstone-Actor": claim}).status_code == 401


# --- sockets


def open_socket(app, headers):
    """What a WebSocket is answered with: the message types and texts that the application sends."""
    sent = []
    scope = {
        "type": "websocket",
        "path": "/socket",
        "raw_path": b"/socket",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:7070"), *headers],
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 7070),
        "scheme": "ws",
    }

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return [message.get("text", message["type"]) for message in sent]


def test_a_socket_knows_its_session_and_refuses_another_site(app, foundation, people):
    cookie = (b"cookie", f"{COOKIE}={foundation.identity.sign_in('dora', PASSWORD).secret}".encode())
    assert open_socket(app, [cookie])[1] == people.developer.account.actor_id
    assert open_socket(app, [cookie, (b"origin", b"http://127.0.0.1:7070")])[1] == people.developer.account.actor_id
    assert open_socket(app, [cookie, (b"origin", b"https://evil.example")]) == ["websocket.close"]
    assert open_socket(app, [(b"authorization", b"Bearer nothing")]) == ["websocket.close"]


def test_a_guard_says_what_it_is():
    assert Guard(permission="a.b") == Guard(permission="a.b")
    assert public("why").dependency.reason == "why"


def test_a_request_costs_one_read_at_most_and_none_within_five_seconds(client, people, foundation, monkeypatch):
    reads = []
    store = foundation.identity.tokens._store
    find = store.find
    monkeypatch.setattr(store, "find", lambda key: reads.append(key) or find(key))
    foundation.identity._context.changed()
    for _ in range(5):
        client.get("/who", headers=people.viewer.headers)
    assert len(reads) <= 2
