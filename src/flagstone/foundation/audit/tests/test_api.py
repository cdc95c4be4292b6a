"""The audit log over HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from flagstone.foundation.audit import api
from flagstone.foundation.audit.store import rows
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def client(foundation):
    return Client(foundation.app(api.router({"portal": foundation.audit})))


def test_a_maintainer_reads_filters_and_pages(client, people):
    headers = people.maintainer.headers
    first = client.get("/api/v1/audit?action=identity.user&limit=3", headers=headers).json()
    assert [row["action"] for row in first["items"]] == ["identity.user.create"] * 3
    rest = client.get(
        "/api/v1/audit", params={"action": "identity.user", "cursor": first["next_cursor"]}, headers=headers
    ).json()
    assert len(rest["items"]) == 2
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/audit?since=2100-01-01T00:00:00Z", headers=headers).json()["items"] == []
    for bad in ("since=yesterday", "since=2026-01-01T00:00:00", "outcome=maybe", "cursor=x", "limit=0"):
        assert client.get(f"/api/v1/audit?{bad}", headers=headers).status_code == 422
    assert client.get("/api/v1/audit?room=moon", headers=headers).status_code == 404


def test_developers_do_not_read_it_and_only_an_administrator_verifies_it(client, people):
    assert client.get("/api/v1/audit").status_code == 401
    assert client.get("/api/v1/audit", headers=people.developer.headers).status_code == 403
    assert client.get("/api/v1/audit/verify", headers=people.maintainer.headers).status_code == 403
    body = client.get("/api/v1/audit/verify", headers=people.admin.headers).json()
    assert body["ok"] is True
    assert body["rows"] == body["head"]["seq"]


def test_a_denial_is_a_row_with_the_id_of_the_request(client, people):
    answer = client.get("/api/v1/audit", headers=people.viewer.headers)
    (row,) = client.get("/api/v1/audit?outcome=denied", headers=people.maintainer.headers).json()["items"]
    assert (row["actor"]["name"], row["action"], row["resource"]) == ("Vera", "audit.read", "/api/v1/audit")
    assert row["request_id"] == answer.headers["x-request-id"]


def test_a_broken_row_is_named_over_the_api(client, people, foundation):
    with foundation.db.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 2).values(actor_name="Somebody else"))
    body = client.get("/api/v1/audit/verify", headers=people.admin.headers).json()
    assert (body["ok"], body["broken_seq"]) == (False, 2)
