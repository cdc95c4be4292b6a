"""Pages of the catalog, as a person sees them."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from flagstone.portal.catalog.tests.conftest import ACME


@pytest.fixture
def site(small):
    small.store.locations.add("file", str(ACME / "catalog-info.yaml"), origin="settings", actor="t", now=small.now())
    small.ingest.refresh_due()
    while small.ingest.refresh_due():
        pass
    client, people = small.browser()
    return small, client, people


def get(client, path, status=200, **headers):
    answer = client.get(path, headers={"Accept": "text/html", **headers})
    assert answer.status_code == status, answer.text[:2000]
    return BeautifulSoup(answer.text, "html.parser")


def test_every_entity_of_the_example_has_a_page_with_all_its_tabs(site):
    world, client, _ = site
    for ref in world.refs():
        base = "/catalog/" + ref.replace(":", "/", 1)
        page = get(client, base)
        assert not page.select("[data-card-error]"), page.select("[data-card-error]")
        assert len(page.select("h1")) == 1
        for tab in page.select(".p-tabs a"):
            get(client, tab["href"])
