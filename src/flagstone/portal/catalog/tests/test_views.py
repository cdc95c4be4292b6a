"""Saved views, columns, and the list as a file."""

from __future__ import annotations

import csv
import io

import pytest
from bs4 import BeautifulSoup

from flagstone.kernel.errors import Denied, Invalid, NotFound
from flagstone.portal.catalog.web.saved import safe


def soup(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text[:300]
    return BeautifulSoup(answer.text, "html.parser")


def test_a_shared_view_is_for_everybody_and_one_of_ones_own_is_not(world):
    people = world.foundation.people()
    ana, bo = people.developer.principal, people.viewer.principal
    own = world.views.save(ana, "  My   services ", "?view=all&kind=component&cursor=x&evil=1", shared=False)
    shared = world.views.save(ana, "Ours", "view=all&q=shop", shared=True)
    assert (own.name, own.query) == ("My services", "view=all&kind=component")
    assert [view.name for view in world.views.visible(ana)] == ["My services", "Ours"]
    assert [view.name for view in world.views.visible(bo)] == ["Ours"]
    with pytest.raises(NotFound):
        world.views.get(bo, own.id)
    with pytest.raises(Denied):
        world.views.delete(bo, shared.id)
    world.views.save(ana, "Ours", "view=mine", shared=False)
    assert world.views.visible(bo) == []
    with pytest.raises(Invalid):
        world.views.save(ana, " ", "", shared=False)


def test_a_view_is_saved_and_opened_from_the_list(small, component):
    small.write("a.yaml", component("a"))
    small.add("a.yaml")
    client, _ = small.browser()
    answer = client.post(
        "/catalog/views", data={"name": "A", "query": "view=all&q=a&cols=type", "shared": "on"}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/catalog?view=all&q=a&cols=type")
    page = soup(client, "/catalog?view=all")
    link = page.select_one("#saved-views a")
    assert link["href"] == "/catalog?view=all&q=a&cols=type"
    shown = soup(client, link["href"])
    assert [cell.get_text(strip=True) for cell in shown.select("thead th")][1:] == ["Type"]


def test_the_chosen_columns_are_kept_on_further_pages(small, component):
    small.write("all.yaml", "---\n".join(component(f"c{number:03}") for number in range(60)))
    small.add("all.yaml")
    client, _ = small.browser()
    page = soup(client, "/catalog?view=all&cols=type&cols=owner")
    assert len(page.select("thead th")) == 3
    more = next(tag["hx-get"] for tag in page.select("[hx-get]") if "cursor=" in tag["hx-get"])
    assert "cols=type&cols=owner" in more
    rows = BeautifulSoup(client.get(more, headers={"HX-Request": "true"}).text, "html.parser").select("tr")
    assert len(rows[0].find_all(["th", "td"])) == 3


def test_the_whole_list_is_exported_with_the_filters_of_the_page(small, component):
    for part in range(2):
        small.write(f"{part}.yaml", "---\n".join(component(f"c{part * 600 + number:04}") for number in range(600)))
        small.add(f"{part}.yaml")
    client, _ = small.browser()
    answer = client.get("/catalog/export.csv?view=all")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1200
    assert len({row["name"] for row in rows}) == 1200
    assert rows[0]["owner"] == "group:default/payments"
    assert len(list(csv.reader(io.StringIO(client.get("/catalog/export.csv?view=all&q=c0001").text)))) == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(text):
    assert safe(text) == f"'{text}"
    assert safe("plain = text") == "plain = text"
