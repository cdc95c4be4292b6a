"""Secrets over HTTP: a value goes in and never comes out."""

from __future__ import annotations

import pytest

from flagstone.foundation.vault import api
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation

CANARY = "CANARY-9d2c4e-value"


@pytest.fixture
def foundation(database):
    return Foundation(database)


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def client(foundation):
    return Client(foundation.app(api.router(foundation.vault)))


def test_a_maintainer_sets_lists_and_deletes_a_secret_but_nobody_reads_it(client, people):
    headers = people.maintainer.headers
    put = client.put("/api/v1/secrets/registry/password", json={"value": CANARY}, headers=headers)
    listed = client.get("/api/v1/secrets", headers=headers)
    assert (put.status_code, put.json()["version"]) == (200, 1)
    assert [item["name"] for item in listed.json()["items"]] == ["registry/password"]
    assert CANARY not in put.text + listed.text
    assert client.get("/api/v1/secrets/registry/password", headers=headers).status_code == 405
    assert client.delete("/api/v1/secrets/registry/password", headers=headers).status_code == 204
    assert client.delete("/api/v1/secrets/registry/password", headers=headers).status_code == 404


def test_a_bad_request_does_not_echo_the_value(client, people):
    answer = client.put("/api/v1/secrets/a", json={"value": [CANARY], "x": CANARY}, headers=people.maintainer.headers)
    assert answer.status_code == 422
    assert CANARY not in answer.text


@pytest.mark.parametrize("who", ["viewer", "developer", "stranger"])
def test_others_are_refused(client, people, who):
    headers = getattr(people, who).headers
    assert client.get("/api/v1/secrets", headers=headers).status_code == 403
    assert client.put("/api/v1/secrets/a", json={"value": CANARY}, headers=headers).status_code == 403
    assert client.delete("/api/v1/secrets/a", headers=headers).status_code == 403


def test_secrets_are_paged(client, people):
    for number in range(3):
        client.put(f"/api/v1/secrets/s{number}", json={"value": CANARY}, headers=people.admin.headers)
    first = client.get("/api/v1/secrets?limit=2", headers=people.admin.headers).json()
    second = client.get("/api/v1/secrets", params={"cursor": first["next_cursor"]}, headers=people.admin.headers).json()
    assert [item["name"] for item in first["items"] + second["items"]] == ["s0", "s1", "s2"]
