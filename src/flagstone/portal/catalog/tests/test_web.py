"""Pages of the catalog, as a person sees them."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bs4 import BeautifulSoup

from flagstone.builtin.kinds import BACKSTAGE_KINDS
from flagstone.contracts.locations import guess_type
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, Unavailable
from flagstone.portal.catalog.model import Graph
from flagstone.portal.catalog.service.actors import Actors
from flagstone.portal.catalog.service.records import RecordService
from flagstone.portal.catalog.tests.conftest import ACME
from flagstone.portal.catalog.web.drawing import draw
from flagstone.portal.catalog.web.people_cards import bounded
from flagstone.sdk import Rendered
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.web.icons import icon_markup


@pytest.fixture
def acme(small):
    location, _ = small.store.locations.add(
        "file", str(ACME / "catalog-info.yaml"), origin="settings", actor="t", now=utc_now()
    )
    small.ingest.refresh_tree(location.id)
    client, people = small.browser()
    return small, client, people


@pytest.fixture
def site(small, component):
    small.write("a.yaml", component("a", extra="dependsOn: [resource:db]\n"))
    small.write("b.yaml", component("b", "search"))
    small.location = small.add("*.yaml", origin="user")
    client, people = small.browser()
    return small, client, people


def get(client, path, status=200, **headers):
    answer = client.get(path, headers={"Accept": "text/html", **headers})
    assert answer.status_code == status, answer.text[:2000]
    return BeautifulSoup(answer.text, "html.parser")


def names(page):
    return [row.select_one("th b").text for row in page.select("tr") if row.select_one("th b")]


def test_every_entity_of_the_example_has_a_page_with_all_its_tabs(acme):
    world, client, _ = acme
    one_of_a_kind = {(ref.partition(":")[0], world.catalog.get(ref).type): ref for ref in world.refs()}
    assert len(one_of_a_kind) > 12
    for ref in one_of_a_kind.values():
        page = get(client, "/catalog/" + ref.replace(":", "/", 1))
        assert not page.select("[data-card-error]"), page.select("[data-card-error]")
        assert len(page.select("h1")) == 1
        for tab in page.select(".p-tabs a"):
            assert len(get(client, tab["href"]).select("h1")) == 1


def test_an_entity_page_says_what_it_is_who_owns_it_and_what_it_needs(acme):
    _, client, _ = acme
    page = get(client, "/catalog/component/default/cart")
    text = page.select_one("main").get_text(" ", strip=True)
    for part in ("Basket", "Component · service", "Checkout", "production", "Keeps the basket", "Dashboard", "go"):
        assert part in text, part
    assert page.select_one("svg.p-graph")
    assert page.select_one('a[href="https://dashboards.acme.example/d/cart"]')
    assert [tab.text for tab in page.select(".p-tabs a")] == ["Overview", "Relations", "Docs", "Source", "History"]
    api = get(client, "/catalog/api/default/cart-api")
    assert "openapi" in api.select_one("#definition").text


def test_the_list_begins_with_mine_when_i_own_something_else_with_all(site):
    _, client, people = site
    mine = get(client, "/catalog")
    assert names(mine) == ["a"]
    assert mine.select_one("input[name=view]:checked, input[name=view][checked]")["value"] == "mine"
    everything = get(client, "/catalog", **people.viewer.headers)
    assert names(everything) == ["a", "b"]
    assert everything.select_one("input[name=view][checked]")["value"] == "all"


def test_the_address_holds_the_whole_state_of_the_list(site):
    _, client, _ = site
    page = get(client, "/catalog?view=all&q=b&kind=component&owner=group:default/search&sort=name&sort=-owner")
    assert names(page) == ["b"]
    assert page.select_one("input[name=q]")["value"] == "b"
    assert page.select_one("input[name=sort]")["value"] == "-owner"
    chosen = page.select(".p-options input[checked]:not([name=cols])")
    assert {box["value"] for box in chosen} == {"component", "group:default/search"}
    assert page.select_one("[aria-sort=descending]").get_text(strip=True) == "Owner"
    assert "1 entity" in page.select_one("[role=status]").get_text(" ", strip=True)


def test_htmx_gets_only_the_list(site):
    _, client, _ = site
    part = get(client, "/catalog?view=all", **{"HX-Request": "true"})
    assert not part.select("html, h1")
    assert names(part) == ["a", "b"]


def test_a_menu_of_the_list_counts_its_options_when_it_is_opened(site):
    _, client, _ = site
    page = get(client, "/catalog?view=all&owner=group:default/search")
    menu = page.select_one("#facet-owner")
    assert menu["hx-get"] == "/catalog/_facet/owner"
    assert [(box["value"], box.has_attr("checked")) for box in menu.select("input[type=checkbox]")] == [
        ("group:default/search", True)
    ]
    assert menu.select("small") == []
    filled = get(client, "/catalog/_facet/owner?view=all&kind=component&owner=group:default/search")
    counts = {box["value"]: box.parent.small.text for box in filled.select("input[type=checkbox]")}
    assert len(counts) == 2
    assert set(counts.values()) == {"1"}
    assert [box["value"] for box in filled.select("input[checked]")] == ["group:default/search"]
    assert [field["value"] for field in filled.select("input[name=with]")] == ["owner"]
    assert "no filter colour" in client.get("/catalog/_facet/colour", headers={"Accept": "text/html"}).text


def test_an_opened_menu_stays_filled_and_leaves_no_trace_in_the_address(site):
    _, client, _ = site
    answer = client.get("/catalog?view=all&with=owner&owner=group:default/search", headers={"HX-Request": "true"})
    assert answer.headers["HX-Push-Url"] == "/catalog?view=all&sort=name&owner=group%3Adefault%2Fsearch"
    page = BeautifulSoup(answer.text, "html.parser")
    menu = page.select_one("#facet-owner")
    assert not menu.has_attr("hx-get")
    assert {box["value"] for box in menu.select("input[type=checkbox]")} > {"group:default/search"}
    assert page.select_one("#facet-tag").has_attr("hx-get")
    whole = get(client, "/catalog?view=all")
    href = whole.select_one("noscript a")["href"]
    assert not any(menu.has_attr("hx-get") for menu in get(client, href).select(".p-pop"))


def test_more_rows_come_by_cursor(small, component):
    small.write("all.yaml", "---\n".join(component(f"c{number:03}") for number in range(120)))
    small.add("all.yaml")
    client, _ = small.browser()
    page = get(client, "/catalog?view=all")
    found = names(page)
    while page.select_one(".p-more-row a"):
        href = page.select_one(".p-more-row a")["href"]
        plain = get(client, href)
        page = get(client, href, **{"HX-Request": "true"})
        assert plain.select("h1")
        assert not page.select("form")
        found += names(page)
    assert found == [f"c{number:03}" for number in range(120)]


def test_empty_lists_say_why_and_what_to_do(small, component):
    client, people = small.browser()
    assert "The catalog is empty" in get(client, "/catalog").text
    small.write("a.yaml", component("a", "search"))
    small.add("a.yaml")
    for query, text in (
        ("view=all&q=nothing", "Nothing matches"),
        ("view=starred", "Nothing is starred"),
        ("view=mine", "You own nothing here"),
        ("view=mine&kind=component", "Nothing matches"),
    ):
        page = get(client, f"/catalog?{query}")
        assert text in page.text
        assert page.select(".p-empty a.p-btn")
    assert not get(client, "/catalog?q=nothing", **people.viewer.headers).select('.p-empty a[href="/catalog/import"]')


def test_a_star_is_pressed_and_taken_away(site):
    _, client, _ = site
    pressed = client.post("/catalog/component/default/a/star")
    assert 'aria-pressed="true"' in pressed.text
    assert names(get(client, "/catalog?view=starred")) == ["a"]
    assert 'aria-pressed="false"' in client.post("/catalog/component/default/a/star").text


def test_there_is_one_address_for_an_entity(site):
    _, client, _ = site
    for path in ("/catalog/default/component/a", "/catalog/Component/Default/A", "/catalog/default/Component/a"):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (308, "/catalog/component/default/a")
    assert client.get("/catalog/default/component/none").headers["location"] == "/catalog/component/default/none"
    assert client.get("/catalog/component/default/none").status_code == 404


def test_relations_as_graph_and_table(site):
    _, client, _ = site
    page = get(client, "/catalog/component/default/a/relations?depth=3&direction=out&type=dependsOn")
    assert page.select_one("svg.p-graph")
    assert [cell.text for cell in page.select("tbody tr td:first-child")] == ["dependsOn"]
    assert "not in the catalog" in page.select_one("tbody").text
    odd = get(client, "/catalog/component/default/a/relations?depth=99&direction=sideways&type=none")
    assert odd.select_one("svg.p-graph")


def test_source_and_history_show_where_it_comes_from_and_what_changed(site, component):
    small, client, _ = site
    small.write("a.yaml", component("a", extra="system: shop\n"))
    small.read(small.location)
    source = get(client, "/catalog/component/default/a/source")
    assert "dependsOn" not in source.select_one("pre").text
    assert "system" in source.select_one("pre").text
    assert str(small.folder / "a.yaml") in source.text
    history = get(client, "/catalog/component/default/a/history")
    text = history.get_text(" ", strip=True)
    assert "Changed" in text
    assert "Added" in text
    assert "spec.system" in text
    assert history.select_one(".p-diff")


def test_a_broken_file_is_told_on_the_page_with_line_and_way_out(site, component):
    small, client, _ = site
    small.write("a.yaml", component("a").replace("owner: payments", "owner: 7"))
    small.read(small.location)
    alert = get(client, "/catalog/component/default/a").select_one("[role=alert]").get_text(" ", strip=True)
    assert "spec.owner" in alert
    assert f"{small.folder / 'a.yaml'}:8" in alert
    assert "quotes" in alert
    problems = get(client, "/catalog/problems").get_text(" ", strip=True)
    assert f"{small.folder / 'a.yaml'}:8" in problems
    references = get(client, "/catalog/problems?show=references").get_text(" ", strip=True)
    assert "group:default/payments" in references


def test_a_source_that_is_gone_is_told_on_the_page(small, component):
    file = small.write("a.yaml", component("a"))
    location = small.add("a.yaml")
    client, _ = small.browser()
    file.unlink()
    small.ingest.refresh_due()
    small.store.locations.mark_due(utc_now(), ids=[location.id])
    small.ingest.refresh_due()
    assert "cannot be read" in get(client, "/catalog/component/default/a").text


def test_registering_shows_what_will_appear_before_it_does(site, component):
    small, client, people = site
    small.write("new/c.yaml", component("c") + "---\nkind: nonsense\n")
    target = str(small.folder / "new/c.yaml")
    form = get(client, "/catalog/import")
    assert {option["value"] for option in form.select("option")} == {"", "file", "hosted", "url"}
    seen = client.post("/catalog/import", data={"type": "file", "target": target, "do": "preview"})
    page = BeautifulSoup(seen.text, "html.parser")
    assert "component" in page.text.lower()
    assert f"{target}:1" in page.text
    assert page.select_one("button[name=do][value=register]")
    assert "component:default/c" not in small.refs()
    done = client.post("/catalog/import", data={"type": "file", "target": target, "do": "register"})
    assert (done.status_code, done.headers["location"]) == (303, "/catalog?view=all")
    assert "component:default/c" in small.refs()
    refused = client.post("/catalog/import", data={"type": "file", "target": "/etc/passwd", "do": "preview"})
    assert refused.status_code == 422
    assert "not below a folder" in refused.text
    assert client.get("/catalog/import", headers=people.viewer.headers).status_code == 403


def test_unregistering_asks_for_the_target_to_be_typed(site):
    small, client, people = site
    path = f"/catalog/locations/{small.location.id}/unregister"
    headers = people.maintainer.headers
    assert client.post(path, data={"confirm": "x"}, headers=headers).status_code == 422
    assert len(small.refs()) == 2
    assert client.post(path, data={"confirm": small.location.target}, headers=headers).status_code == 303
    assert small.refs() == []


def test_refreshing_from_the_page(site, component):
    small, client, _ = site
    small.write("a.yaml", component("a", "payments", extra="system: shop\n"))
    assert client.post("/catalog/component/default/a/refresh").headers["location"] == "/catalog/component/default/a"
    answer = client.post(f"/catalog/locations/{small.location.id}/refresh", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/catalog/import")


def test_pickers_get_what_fits(site):
    _, client, _ = site
    for answer in (
        client.get("/catalog/_options?kind=component&q=b"),
        client.post("/catalog/_options", data={"q": "b", "kind": "component,system"}),
    ):
        options = BeautifulSoup(answer.text, "html.parser").select("[role=option]")
        assert [(option["data-value"], option["data-label"]) for option in options] == [("component:default/b", "b")]
    assert "Nothing matches" in client.get("/catalog/_options?kind=group").text


class Card:
    slot, order, lazy = "entity.main", 1, False

    def __init__(self, id_, render, **options):
        self.id, self._render = id_, render
        self.__dict__.update(options)

    def applies(self, ctx):
        return True

    def render(self, ctx):
        return self._render(ctx)


def fail(_ctx):
    raise ZeroDivisionError("secret detail")


def away(_ctx):
    raise Unavailable("x.away", "The other system is away.", hint="Try later.")


def test_a_card_that_fails_shows_a_box_and_breaks_nothing(site):
    small, client, _ = site
    small.cards.add(Card("acme.broken", fail), "acme")
    small.cards.add(Card("acme.away", away, slot="entity.side"), "acme")
    small.cards.add(Card("acme.template", lambda _ctx: Rendered("acme/none.html", {})), "acme")
    small.cards.add(Card("acme.nothing", lambda _ctx: None), "acme")
    small.cards.add(Card("acme.lazy", fail, lazy=True), "acme")
    page = get(client, "/catalog/component/default/a")
    assert {box["data-card-error"] for box in page.select("[data-card-error]")} == {
        "acme.broken",
        "acme.away",
        "acme.template",
    }
    assert "secret detail" not in page.text
    assert "The other system is away." in page.text
    assert page.select_one("svg.p-graph")
    href = page.select_one("[hx-trigger=load]")["hx-get"]
    assert href == "/catalog/_cards/acme.lazy?entity=component/default/a"
    assert "acme.lazy" in get(client, href).text
    assert client.get("/catalog/_cards/none?entity=component/default/a").status_code == 404


def test_two_cards_with_one_id_and_unknown_slots_are_refused(site):
    small, _, _ = site
    for card in (Card("catalog.about", fail), Card("acme.new", fail, slot="entity.nowhere")):
        with pytest.raises(Conflict):
            small.cards.add(card, "acme")


HOSTILE = "<script>alert(1)</script>"


def test_hostile_content_is_shown_as_text_and_never_as_a_link(small):
    small.write(
        "x.yaml",
        f"""
        apiVersion: backstage.io/v1alpha1
        kind: Component
        metadata:
          name: x
          title: "{HOSTILE}"
          description: '"><img src=x onerror=alert(1)>{HOSTILE}'
          annotations:
            backstage.io/source-location: "url:javascript:alert(2)"
            backstage.io/edit-url: "javascript:alert(3)"
            backstage.io/view-url: "javascript:alert(4)"
          links:
            - url: "javascript:alert(5)"
              title: "{HOSTILE}"
              icon: "{HOSTILE}"
            - url: "data:text/html,{HOSTILE}"
            - url: "https://example.com/\\"onmouseover=alert(6)"
              title: safe
        spec:
          type: "{HOSTILE}"
          lifecycle: "{HOSTILE}"
          owner: "user:default/{HOSTILE}"
          system: "{HOSTILE}"
          dependsOn: ["component:default/{HOSTILE}"]
        """,
    )
    small.write(
        "api.yaml",
        f"""
        apiVersion: backstage.io/v1alpha1
        kind: API
        metadata: {{name: api}}
        spec: {{type: openapi, lifecycle: x, owner: x, definition: "{HOSTILE}"}}
        """,
    )
    small.write("README.md", f"# Hi\n{HOSTILE}\n[x](javascript:alert(7))\n<img src=x onerror=alert(8)>\n")
    small.add("*.yaml")
    assert small.problems() == []
    client, _ = small.browser()
    for path in (
        "/catalog?view=all",
        f"/catalog?view=all&q={HOSTILE}&kind={HOSTILE}&sort={HOSTILE}&tag={HOSTILE}",
        "/catalog/component/default/x",
        "/catalog/component/default/x/relations",
        "/catalog/component/default/x/docs",
        "/catalog/component/default/x/source",
        "/catalog/component/default/x/history",
        "/catalog/api/default/api",
        "/catalog/problems",
        f"/catalog/import?target={HOSTILE}",
        "/catalog/_options?q=",
    ):
        page = get(client, path)
        assert not [tag for tag in page.select("script") if "alert" in tag.text], path
        for tag in page.find_all(True):
            assert not [name for name in tag.attrs if name.lower().startswith("on")], (path, tag)
            for name in ("href", "src", "action", "hx-get", "hx-post", "xlink:href"):
                address = str(tag.get(name, "")).strip().lower()
                assert not address.startswith(("javascript:", "data:text", "vbscript:")), (path, tag)


def test_the_kind_of_source_is_guessed_from_what_is_pasted(small, component):
    small.write("a.yaml", component("a"))
    client, _ = small.browser()
    answer = client.post("/catalog/import", data={"target": str(small.folder / "a.yaml"), "do": "preview"})
    assert answer.status_code == 200
    assert "will appear" in answer.text
    assert "component:default/a" not in small.refs()
    assert guess_type(" https://x.example/a.yaml") == "url"
    assert guess_type("shop/checkout") == "hosted"


def test_an_empty_catalog_shows_three_ways_in(small):
    client, _ = small.browser()
    page = get(client, "/catalog")
    assert len(page.select(".p-gallery > *")) == 3


def test_an_address_is_read_over_http_when_its_host_is_allowed(small, component):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = component("far").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    client, _ = small.browser()
    fetcher = Fetcher([], setting="sources.allowed_hosts")
    small.fetched = fetcher.fetch
    refused = client.post("/catalog/import", data={"target": f"http://{host}/catalog-info.yaml", "do": "preview"})
    assert refused.status_code == 422
    assert "sources.allowed_hosts" in refused.text
    allowed = Fetcher([AllowedHost.parse(host)], setting="sources.allowed_hosts")
    small.fetched = allowed.fetch
    answer = client.post("/catalog/import", data={"target": f"http://{host}/catalog-info.yaml", "do": "register"})
    assert answer.status_code in (200, 204, 303)
    assert small.catalog.find("component:default/far")
    for item in (fetcher, allowed):
        item.close()
    server.shutdown()
    server.server_close()


def test_an_entity_with_thousands_of_neighbours_is_drawn_and_listed_in_part_and_says_so(small, component):
    group = (
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: payments}\nspec: {type: team, children: []}\n"
    )
    small.write("org.yaml", "x").write_text(group)
    small.add("org.yaml")
    for part in range(4):
        small.write(f"{part}.yaml", "---\n".join(component(f"c{part}-{number}") for number in range(600)))
        small.add(f"{part}.yaml")
    client, _ = small.browser()
    page = get(client, "/catalog/group/default/payments/relations?depth=1")
    assert len(page.select(".p-graph-node")) <= 120
    assert "2281 more are not drawn" in page.get_text(" ", strip=True)
    assert len(page.select("#table tbody tr")) == 300
    assert "300 of 2400 are listed" in page.get_text(" ", strip=True)
    assert "ownerOf: 2400 × Component" in page.get_text(" ", strip=True)
    narrowed = get(client, "/catalog/group/default/payments/relations?only=user&only=nothing")
    assert "2400" in narrowed.get_text()
    one = get(client, "/catalog/component/default/c0-1/relations?only=group&depth=1")
    assert len(one.select(".p-graph-node")) == 2


def test_a_system_is_drawn_as_a_box_with_what_crosses_its_boundary(small, component):
    def entity(kind, name, spec):
        return f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"

    small.write(
        "all.yaml",
        "---\n".join(
            [
                entity("Domain", "shop", "owner: x"),
                entity("System", "till", "owner: x, domain: shop"),
                entity("System", "stock", "owner: x, domain: shop"),
                entity("System", "bank", "owner: y"),
                component("pay", extra="system: till\ndependsOn: [resource:money, component:shelf]\n"),
                component("alone", extra="system: till\n"),
                entity("Resource", "money", "type: database, owner: x, system: till"),
                component("shelf", extra="system: stock\n"),
                component("books", extra="system: bank\ndependsOn: [component:pay]\n"),
            ]
        ),
    )
    small.add("all.yaml")
    till = bounded(small.catalog, "system:default/till", domain=False)
    assert set(till.inside) == {"component:default/pay", "component:default/alone", "resource:default/money"}
    assert till.outside == ("component:default/books", "component:default/shelf")
    edges = {(edge.source.partition("/")[2], edge.type, edge.target.partition("/")[2]) for edge in till.edges}
    assert edges == {("pay", "dependsOn", "money"), ("pay", "dependsOn", "shelf"), ("books", "dependsOn", "pay")}
    shop = bounded(small.catalog, "domain:default/shop", domain=True)
    assert (set(shop.inside), shop.outside) == (
        {"system:default/till", "system:default/stock"},
        ("system:default/bank",),
    )
    edges = {(edge.source.partition("/")[2], edge.type, edge.target.partition("/")[2]) for edge in shop.edges}
    assert edges == {("till", "dependsOn", "stock"), ("bank", "dependsOn", "till")}
    client, _ = small.browser()
    page = BeautifulSoup(client.get("/catalog/system/default/till").text, "html.parser")
    picture = page.find("svg", attrs={"aria-label": "till, its parts, and what crosses its boundary"})
    assert picture.find("text", class_="p-graph-boundary-title").text == "till (System)"
    box = picture.find("rect", class_="p-graph-boundary")
    left, right = float(box["x"]), float(box["x"]) + float(box["width"])
    where = {a["data-id"]: float(re.search(r"translate\(([-\d.]+)", a["transform"])[1]) for a in picture.find_all("a")}
    assert where["component:default/books"] < left < where["component:default/pay"] < right
    assert where["component:default/shelf"] > right


def test_pictures_show_the_icon_of_a_declared_kind(small):
    small.kinds.add(replace(BACKSTAGE_KINDS[0], name="Dataset", icon="archive", relations=()))
    graph = Graph("dataset:default/a", ("dataset:default/a",), {}, (), {"dataset:default/a": 0})
    assert icon_markup("archive") in draw(graph, small.kinds, label="x").svg


def test_the_history_names_people_and_what_is_chosen_from_holds_no_stand_ins(small, component):
    names = {"1": "Ada Lovelace"}
    actors = Actors(names.get)
    records = RecordService(small.store, small.catalog, small.ingest, small.foundation.access, actors)
    small.write("a.yaml", component("a"))
    location = small.add("a.yaml", origin="user")
    small.write("a.yaml", component("a", "search"))
    small.read(location, actor="user:1")
    first, second = records.history("component:a").items
    assert (first.actor, first.actor_name, second.actor_name) == ("user:1", "Ada Lovelace", "the catalog")
    assert [actors.name(text) for text in ("user:2", "run:7", "system:door")] == [
        "user:2",
        "a run",
        "the server (door)",
    ]
    assert [row.ref for row in small.catalog.options((), "", 10)] == ["component:default/a"]
