"""Accounts, tokens and signing in over the API."""

from __future__ import annotations

import pytest

from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.identity import api
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation
from flagstone.testing.people import OWNERS, PASSWORD

ROUTES = [
    ("GET", "/api/v1/users", "admin"),
    ("GET", "/api/v1/users/vera", "admin"),
    ("POST", "/api/v1/users", "admin"),
    ("PATCH", "/api/v1/users/vera", "admin"),
    ("POST", "/api/v1/users/vera/sign-in-link", "admin"),
    ("GET", "/api/v1/me", "viewer"),
    ("GET", "/api/v1/tokens", "viewer"),
    ("POST", "/api/v1/tokens", "viewer"),
]
BODIES = {
    ("POST", "/api/v1/users"): {"username": "newcomer"},
    ("PATCH", "/api/v1/users/vera"): {"display_name": "Vera"},
    ("POST", "/api/v1/tokens"): {"name": "t"},
}


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def client(foundation, people):
    return Client(foundation.app(api.router(foundation.identity)))


@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
def test_each_route_is_for_those_it_is_meant_for(client, people, method, path, role):
    order = ["viewer", "developer", "maintainer", "admin"]
    body = BODIES.get((method, path))
    assert client.request(method, path, json=body).status_code == 401
    for who in order:
        answer = client.request(method, path, json=body, headers=getattr(people, who).headers)
        assert (answer.status_code < 300) is (order.index(who) >= order.index(role)), (who, answer.text)


def test_one_sees_who_one_is(client, people):
    body = client.get("/api/v1/me", headers=people.developer.headers).json()
    assert (body["username"], body["role"], body["entity_ref"]) == ("dora", "developer", "user:default/dora")
    assert OWNERS in body["groups"]
    assert body["scopes"] is None


def test_a_password_is_exchanged_for_a_token_that_works(client, people):
    answer = client.post(
        "/api/v1/session", json={"username": "dora", "password": PASSWORD, "name": "laptop", "days": 3}
    )
    assert answer.status_code == 201
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert client.get("/api/v1/me", headers=headers).json()["username"] == "dora"
    assert client.delete(f"/api/v1/tokens/{answer.json()['id']}", headers=headers).status_code == 204
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_guessing_over_the_api_is_slowed_down_and_nothing_is_echoed(client):
    for _ in range(5):
        answer = client.post("/api/v1/session", json={"username": "dora", "password": "CANARY-guess"})
        assert answer.status_code == 401
        assert "CANARY" not in answer.text
    answer = client.post("/api/v1/session", json={"username": "dora", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) == 60
    broken = client.post("/api/v1/session", json={"username": "dora", "password": ["CANARY-list"]})
    assert (broken.status_code, "CANARY" in broken.text) == (422, False)


def test_an_administrator_creates_changes_and_invites(client, people, foundation):
    headers = people.admin.headers
    made = client.post("/api/v1/users", json={"username": "Grace", "role": "maintainer"}, headers=headers)
    assert (made.status_code, made.json()["username"], made.json()["has_password"]) == (201, "grace", False)
    assert client.post("/api/v1/users", json={"username": "grace"}, headers=headers).status_code == 409
    link = client.post("/api/v1/users/grace/sign-in-link", headers=headers).json()
    assert link["url"].startswith("http://127.0.0.1:7070/login/link/")
    foundation.identity.sign_in_with_link(link["url"].rsplit("/", 1)[1])
    changed = client.patch("/api/v1/users/grace", json={"entity_ref": "user:default/grace"}, headers=headers).json()
    assert (changed["entity_ref"], changed["role"]) == ("user:default/grace", "maintainer")
    assert client.patch("/api/v1/users/grace", json={"entity_ref": None}, headers=headers).json()["entity_ref"] is None
    assert client.patch("/api/v1/users/grace", json={"disabled": True}, headers=headers).json()["disabled"] is True
    actions = [row.action for row in foundation.audit.list(AuditQuery(actor=people.admin.account.actor_id)).items]
    assert actions == ["identity.user.change"] * 3 + ["identity.link.create", "identity.user.create"]


def test_nobody_slips_in_what_is_not_theirs_to_set(client, people):
    for body in (
        {"username": "x1", "password_hash": "x"},
        {"username": "x1", "id": "1"},
        {"username": "x1", "role": "root"},
    ):
        assert client.post("/api/v1/users", json=body, headers=people.admin.headers).status_code == 422
    assert client.patch("/api/v1/users/vera", json={"username": "x"}, headers=people.admin.headers).status_code == 422


def test_an_unknown_account_is_not_found(client, people):
    assert client.get("/api/v1/users/nobody", headers=people.admin.headers).status_code == 404
    assert client.patch("/api/v1/users/nobody", json={}, headers=people.admin.headers).status_code == 404


def test_a_scoped_token_reaches_its_scope_only(client, people):
    made = client.post("/api/v1/tokens", json={"name": "ro", "scopes": ["read"]}, headers=people.admin.headers).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    for method, path, body in (
        ("POST", "/api/v1/tokens", {"name": "x"}),
        ("POST", "/api/v1/users", {"username": "x1"}),
        ("DELETE", f"/api/v1/tokens/{made['id']}", None),
    ):
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 403
        assert "scope" in answer.json()["hint"]


def test_no_answer_contains_a_secret_but_the_one_that_made_it(client, people, foundation):
    made = client.post("/api/v1/tokens", json={"name": "t"}, headers=people.admin.headers).json()
    texts = [
        client.get(path, headers=people.admin.headers).text
        for path in ("/api/v1/tokens", "/api/v1/users", "/api/v1/me")
    ]
    for text in texts:
        assert made["token"] not in text
        assert "argon2" not in text
        assert "hash" not in text
