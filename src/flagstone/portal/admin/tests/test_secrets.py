"""The page of secrets, as a person sees it."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from pydantic import SecretStr

from flagstone.foundation.vault import SecretBundles, VaultService
from flagstone.kernel.actor import system
from flagstone.kernel.ids import new_id
from flagstone.testing.portal import PortalApp

CANARY = "CANARY-4b1d-value"


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data")
    yield app
    app.stop()


@pytest.fixture
def page(portal):
    def page(client):
        answer = client.get("/admin/secrets")
        assert answer.status_code == 200
        assert CANARY not in answer.text
        return BeautifulSoup(answer.text, "html.parser")

    return page


def test_a_secret_is_set_and_set_again_and_deleted_and_never_shown(portal, page):
    client = portal.client(portal.people.maintainer)
    assert "There is no secret yet" in page(client).text
    for value in (CANARY, f"{CANARY}\r\nsecond line"):
        assert client.post("/admin/secrets", data={"name": "github-token", "value": value}).status_code == 303
    assert portal.application.deps.get(VaultService).use("github-token") == f"{CANARY}\nsecond line"
    (row,) = page(client).select("tbody tr")
    assert row.td.get_text(" ", strip=True) == "github-token version 2"
    client.post("/admin/secrets/delete", data={"name": "github-token", "confirm": "github"})
    assert page(client).select("tbody tr")
    client.post("/admin/secrets/delete", data={"name": "github-token", "confirm": "github-token"})
    assert page(client).select("tbody tr") == []


def test_a_bad_name_keeps_what_was_typed_but_for_the_value(portal):
    client = portal.client(portal.people.maintainer)
    answer = client.post("/admin/secrets", data={"name": "github token", "value": CANARY})
    assert answer.status_code == 422
    assert CANARY not in answer.text
    found = BeautifulSoup(answer.text, "html.parser")
    assert found.select_one("#f-name")["value"] == "github token"
    assert "is not a name for a secret" in found.select_one(".p-alert").text


def test_what_flagstone_keeps_for_itself_is_listed_and_left_alone(portal, page):
    vault, client = portal.application.deps.get(VaultService), portal.client(portal.people.maintainer)
    bundles, ident = SecretBundles(vault, "runs"), new_id()
    bundles.store(ident, {"token": SecretStr(CANARY)}, system("test"))
    name = f"runs/{ident}/0"
    (row,) = page(client).select("tbody tr")
    assert "kept by Flagstone" in row.text
    assert not row.select("button")
    refused = client.post("/admin/secrets/delete", data={"name": name, "confirm": name})
    assert refused.status_code == 409
    assert client.put(f"/api/v1/secrets/{name}", json={"value": "x"}).status_code == 409
    assert client.delete(f"/api/v1/secrets/{name}").status_code == 409
    bundles.discard(ident)


def test_viewers_and_developers_do_not_see_the_page(portal):
    for person in (portal.people.viewer, portal.people.developer):
        assert portal.client(person).get("/admin/secrets").status_code == 403
