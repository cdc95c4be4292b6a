"""The JSON API, as a program uses it."""

from __future__ import annotations

import pytest

from flagstone.foundation.access import census


@pytest.fixture
def site(small, component):
    small.write("a.yaml", component("a", extra="dependsOn: [resource:db]\nsystem: shop\n"))
    small.write("b.yaml", component("b", "search"))
    small.location = small.add("*.yaml", origin="user")
    client, people = small.browser()
    return small, client, people


def test_every_route_has_one_guard(site):
    small, _client, _people = site
    for route in census(small.app):
        if route.path.startswith(("/api/v1", "/catalog")):
            assert len(route.guards) == 1, route.path
            assert route.permission is not None, route.path


def test_nobody_reads_without_signing_in(site):
    small, client, _ = site
    for route in census(small.app):
        if route.kind == "route" and "GET" in route.methods and route.path.startswith(("/api/v1", "/catalog")):
            path = route.path
            for part in ("kind", "namespace", "name", "location_id", "card_id"):
                path = path.replace("{" + part + "}", "a")
            # 429: strangers who ask for very much are not answered at all.
            assert client.get(path, headers={"Authorization": ""}).status_code in (401, 429), path


def test_lists_are_documents_with_a_cursor(site):
    _, client, _ = site
    page = client.get("/api/v1/entities?kind=component&limit=1&count=true").json()
    assert [item["metadata"]["name"] for item in page["items"]] == ["a"]
    assert page["total"] == 2
    rest = client.get(
        "/api/v1/entities", params={"kind": "component", "limit": 1, "cursor": page["next_cursor"]}
    ).json()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b"]
    assert rest["next_cursor"] is None


def test_filters_of_lists(site):
    _, client, _ = site
    for query, names in (
        ("owner=search", ["b"]),
        ("owner=group:default/payments", ["a"]),
        ("mine=true", ["a"]),
        ("q=search", ["b"]),
        ("filter=relations.dependsOn", ["a"]),
        ("system=shop", ["a"]),
        ("sort=-name", ["b", "a"]),
        ("starred=true", []),
    ):
        found = client.get(f"/api/v1/entities?{query}").json()
        assert [item["metadata"]["name"] for item in found["items"]] == names, query


@pytest.mark.parametrize("query", ["sort=x", "cursor=x", "limit=0", "limit=x", "filter="])
def test_questions_that_make_no_sense_are_told_what_is_wrong(site, query):
    _, client, _ = site
    answer = client.get(f"/api/v1/entities?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_one_entity_with_everything_around_it(site):
    _, client, _ = site
    base = "/api/v1/entities/component/default/a"
    entity = client.get(base)
    assert entity.headers["etag"] == f'"{entity.json()["metadata"]["etag"]}"'
    assert client.get("/api/v1/entities/Component/Default/A").json() == entity.json()
    relations = client.get(f"{base}/relations").json()["items"]
    assert {(item["type"], item["targetRef"], item["exists"]) for item in relations} == {
        ("dependsOn", "resource:default/db", False),
        ("ownedBy", "group:default/payments", False),
        ("partOf", "system:default/shop", False),
    }
    graph = client.get(f"{base}/graph?depth=2").json()
    assert len(graph["nodes"]) == 4
    history = client.get(f"{base}/history").json()["items"]
    assert [item["change"] for item in history] == ["created"]
    source = client.get(f"{base}/source").json()
    assert source["line"] == 1
    assert source["text"].startswith("apiVersion:")
    assert client.get("/api/v1/entities/component/default/none").status_code == 404


def test_facets_and_kinds(site):
    _, client, _ = site
    facets = client.get("/api/v1/entity-facets?facet=spec.type&facet=owners").json()["facets"]
    assert facets["spec.type"] == [{"value": "service", "count": 2}]
    assert len(facets["owners"]) == 2
    assert "Component" in [kind["name"] for kind in client.get("/api/v1/entity-kinds").json()["items"]]


def test_stars(site):
    _, client, people = site
    path = "/api/v1/entities/component/default/a/star"
    assert client.put(path).status_code == 204
    assert len(client.get("/api/v1/entities?starred=true").json()["items"]) == 1
    assert client.get("/api/v1/entities?starred=true", headers=people.viewer.headers).json()["items"] == []
    assert client.delete(path).status_code == 204
    assert client.put("/api/v1/entities/component/default/none/star").status_code == 404


def test_a_developer_registers_after_looking_and_a_viewer_may_not(site, component):
    small, client, people = site
    small.write("more/c.yaml", component("c") + "---\n" + component("a"))
    body = {"type": "file", "target": str(small.folder / "more/c.yaml")}
    assert client.post("/api/v1/locations", json=body, headers=people.viewer.headers).status_code == 403
    preview = client.post("/api/v1/locations?dry_run=true", json=body)
    assert preview.status_code == 200
    assert {item["ref"]: item["outcome"] for item in preview.json()["entities"]} == {
        "component:default/c": "new",
        "component:default/a": "taken",
    }
    assert "component:default/c" not in small.refs()
    made = client.post("/api/v1/locations", json=body)
    assert made.status_code == 201
    assert made.json()["entities"] == 1
    assert "component:default/c" in small.refs()
    assert client.post("/api/v1/locations", json=body).status_code == 409
    actions = [row.action for row in small.foundation.audit.list().items]
    assert actions.count("catalog.location.create") == 2  # the viewer's denial, and the registration


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "file", "target": "/etc/passwd"}, 403),
        ({"type": "file", "target": "{folder}/none.yaml"}, 404),
        ({"type": "file", "target": "relative"}, 422),
        ({"type": "nonsense", "target": "x"}, 422),
        ({"type": "file", "target": ""}, 422),
        ({"type": "file"}, 422),
        ({"type": "file", "target": "x", "more": 1}, 422),
        ({"type": "hosted", "target": "acme/none"}, 503),
    ],
)
def test_what_cannot_be_read_is_not_registered(site, body, status):
    small, client, _ = site
    body = {
        key: value.replace("{folder}", str(small.folder)) if isinstance(value, str) else value
        for key, value in body.items()
    }
    for query in ("", "?dry_run=true"):
        answer = client.post(f"/api/v1/locations{query}", json=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["code"]
    assert len(small.locations.list().items) == 1


def test_a_file_without_any_valid_entity_is_refused_with_all_its_problems(site):
    small, client, _ = site
    small.write("bad/x.yaml", "apiVersion: x\nkind: Component\nmetadata: {name: a b, tags: 7}\n")
    answer = client.post("/api/v1/locations", json={"type": "file", "target": str(small.folder / "bad/x.yaml")})
    assert answer.status_code == 422
    assert len(answer.json()["problems"]) == 3
    assert answer.json()["problems"][0]["file"].endswith("bad/x.yaml")


def test_who_may_unregister(site):
    small, client, people = site
    path = f"/api/v1/locations/{small.location.id}"
    assert client.delete(path, headers=people.viewer.headers).status_code == 403
    assert client.delete(path, headers=people.stranger.headers).status_code == 403
    assert client.delete(path).status_code == 403, "owns only a part of what it brings"
    (small.folder / "b.yaml").unlink()
    small.read(small.location)
    answer = client.delete(path)
    assert answer.json() == {"removed_entities": 1}
    assert client.delete(path, headers=people.maintainer.headers).status_code == 404


def test_a_location_of_the_settings_or_of_another_location_stays(site, component):
    small, client, people = site
    small.write("x/c.yaml", component("c"))
    small.write(
        "x/all.yaml",
        """
        apiVersion: backstage.io/v1alpha1
        kind: Location
        metadata: {name: all}
        spec: {target: ./c.yaml}
        """,
    )
    own = small.add("x/all.yaml", origin="settings")
    child = small.store.locations.find("file", str(small.folder / "x/c.yaml"))
    for location in (own, child):
        answer = client.delete(f"/api/v1/locations/{location.id}", headers=people.admin.headers)
        assert answer.status_code == 409
        assert answer.json()["hint"]


def test_refreshing(site, component):
    small, client, people = site
    small.write("a.yaml", component("a", "payments", extra="system: other\n"))
    path = "/api/v1/entities/component/default/a/refresh"
    assert client.post(path, headers=people.viewer.headers).status_code == 403
    assert client.post(path).json()["exists"]
    assert small.catalog.get("component:a").system == "system:default/other"
    (small.folder / "a.yaml").unlink()
    assert client.post(path).json()["exists"] is False
    assert client.post(f"/api/v1/locations/{small.location.id}/refresh").json()["removed"] == 0


def test_problems_and_held_deletions(site, component):
    small, client, people = site
    for number in range(12):
        small.write(f"c{number}.yaml", component(f"c{number}"))
    small.read(small.location)
    for number in range(12):
        (small.folder / f"c{number}.yaml").unlink()
    small.read(small.location)
    (problem,) = client.get("/api/v1/catalog-problems").json()["items"]
    assert (problem["code"], problem["action"]) == ("catalog.held", "confirm")
    (held,) = client.get("/api/v1/locations?state=held").json()["items"]
    path = f"/api/v1/locations/{held['id']}/approve"
    assert client.post(path, json={"digest": "x"}, headers=people.maintainer.headers).status_code == 409
    assert client.post(path, json={"digest": held["held"]["digest"]}, headers=people.viewer.headers).status_code == 403
    answer = client.post(path, json={"digest": held["held"]["digest"]}, headers=people.maintainer.headers)
    assert answer.json()["state"] == "ok"
    assert len(small.refs()) == 2


def test_odd_addresses_are_answered_not_crashed_upon(site):
    _, client, _ = site
    for path in ("component/default/%00", "component/default/a%0Ab", "%20/%20/%20", "component/default/" + "x" * 3000):
        assert client.get(f"/api/v1/entities/{path}").status_code in (404, 422), path
        assert client.get(f"/catalog/{path}", headers={"Accept": "text/html"}).status_code in (404, 422, 308), path
