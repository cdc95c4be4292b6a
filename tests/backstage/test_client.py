"""Backstage's own client, pinned and unchanged, does its whole surface against the server."""

from __future__ import annotations

import base64
import json

import pytest

from flagstone.testing.server import wait_until
from tests.backstage.world import ALL, API, BOB, DB, LOCATION, ONE, SVC, TEAM, THREE, TWO, ClientError, names

pytestmark = pytest.mark.slow

EXISTS = {"CATALOG_FILTER_EXISTS": True}
BY_NAME = {"field": "metadata.name", "order": "asc"}
NOBODY = "00000000-0000-4000-8000-000000000000"


def component(name, **spec):
    """A YAML document."""
    spec = {"type": "service", "lifecycle": "production", "owner": "team-a", **spec}
    entity = {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": name}, "spec": spec}
    return json.dumps(entity)


def seen(client, ref, **spec):
    """The entity, as soon as it is there with these values in its spec."""

    def look():
        entity = client.call("getEntityByRef", ref)
        return entity if entity and all(entity["spec"].get(key) == value for key, value in spec.items()) else None

    return wait_until(look, 30, f"{ref} with {spec}")


def gone(client, ref):
    """Wait until an entity is no longer there."""
    wait_until(lambda: client.call("getEntityByRef", ref) is None, 60, f"{ref} to be gone")


@pytest.fixture
def registered(client, changing, request):
    """A registered location with one component, both named after the test; removed afterwards."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    target = changing.files.put(f"{name}.yaml", component(name))
    location = client.call("addLocation", {"target": target})["location"]
    seen(client, f"component:default/{name}")
    yield name, location
    if client.call("getLocationById", location["id"]) is not None:
        client.call("removeLocationById", location["id"])
        gone(client, f"component:default/{name}")


# --- reading


def test_entities_are_filtered_projected_ordered_and_cut(client):
    everything = client.call("getEntities")["items"]
    assert len(everything) == 10
    request = {
        "filter": [{"kind": ["Component", "API"], "metadata.namespace": "default"}, {"metadata.labels.tier": EXISTS}],
        "fields": ["metadata.name", "kind"],
        "order": {"field": "metadata.name", "order": "desc"},
    }
    found = client.call("getEntities", request)["items"]
    assert found == [
        {"kind": kind, "metadata": {"name": name}}
        for kind, name in (("Component", SVC), ("API", API), ("Component", THREE), ("Component", ONE))
    ]
    assert names(client.call("getEntities", {**request, "limit": 2, "offset": 1})["items"]) == [API, THREE]
    after = base64.b64encode(json.dumps({"limit": 2, "offset": 2}).encode()).decode()
    assert names(client.call("getEntities", {**request, "after": after})["items"]) == [THREE, ONE]


def test_entities_are_ordered_by_several_fields(client):
    order = [{"field": "kind", "order": "desc"}, BY_NAME]
    found = client.call("getEntities", {"order": order, "filter": {"kind": ["user", "group", "resource"]}})["items"]
    assert names(found) == [BOB, DB, TEAM]


def test_a_query_pages_forwards_and_backwards(client):
    first = client.call("queryEntities", {"limit": 4, "orderFields": BY_NAME, "fields": ["metadata.name"]})
    assert client.requests[0]["method"] == "GET"
    assert (first["totalItems"], list(first["pageInfo"])) == (10, ["nextCursor"])
    second = client.call("queryEntities", {"cursor": first["pageInfo"]["nextCursor"], "limit": 4})
    third = client.call("queryEntities", {"cursor": second["pageInfo"]["nextCursor"], "limit": 4})
    assert "nextCursor" not in third["pageInfo"]
    assert [n for page in (first, second, third) for n in names(page["items"])] == sorted(ALL, key=str.lower)
    back = client.call("queryEntities", {"cursor": third["pageInfo"]["prevCursor"], "limit": 4})
    assert names(back["items"]) == names(second["items"])
    back = client.call("queryEntities", {"cursor": back["pageInfo"]["prevCursor"], "limit": 4})
    assert names(back["items"]) == names(first["items"])
    assert "prevCursor" not in back["pageInfo"]


def test_a_query_with_a_filter_pages_to_its_end(client):
    page = client.call("queryEntities", {"filter": {"kind": "component"}, "limit": 1, "orderFields": BY_NAME})
    found = names(page["items"])
    while cursor := page["pageInfo"].get("nextCursor"):
        page = client.call("queryEntities", {"cursor": cursor, "limit": 1})
        found += names(page["items"])
        assert page["totalItems"] == 4
    assert found == [ONE, THREE, TWO, SVC]


def test_a_query_with_a_predicate_is_posted_and_so_are_its_next_pages(client):
    query = {"$all": [{"kind": "component"}, {"$not": {"metadata.namespace": "other"}}]}
    page = client.call("queryEntities", {"query": query, "limit": 2, "orderFields": [BY_NAME], "fields": ["metadata"]})
    assert client.requests[0]["method"] == "POST"
    assert (names(page["items"]), page["totalItems"]) == ([ONE, THREE], 3)
    assert set(page["items"][0]) == {"metadata"}
    page = client.call("queryEntities", {"cursor": page["pageInfo"]["nextCursor"], "limit": 2})
    assert client.requests[0]["method"] == "POST"
    assert names(page["items"]) == [SVC]


def test_a_predicate_and_a_filter_together_must_both_match(client):
    request = {
        "query": {"kind": "component"},
        "filter": [{"metadata.tags": ["java", "go"]}, {"metadata.title": EXISTS}],
    }
    found = client.call("queryEntities", {**request, "orderFields": BY_NAME})
    assert names(found["items"]) == [ONE, THREE, TWO, SVC]
    request["filter"] = {"metadata.tags": EXISTS, "metadata.namespace": "default"}
    assert names(client.call("queryEntities", {**request, "orderFields": BY_NAME})["items"]) == [ONE, SVC]


@pytest.mark.parametrize("query", [{}, {"query": {}}])
def test_a_query_looks_for_words(client, query):
    request = {"fullTextFilter": {"term": " THE ", "fields": ["metadata.name", "metadata.title"]}, "limit": 5, **query}
    if query:  # only the GET form trims the term
        request["fullTextFilter"]["term"] = "THE"
    found = client.call("queryEntities", request)
    assert (names(found["items"]), found["totalItems"]) == ([ONE], 1)


def test_a_query_leaves_out_the_total(client):
    assert client.call("queryEntities", {"totalItems": "exclude", "limit": 2})["totalItems"] == 0
    assert client.call("queryEntities", {"totalItems": "include", "limit": 0})["totalItems"] == 10


@pytest.mark.parametrize("query", [{}, {"query": {"kind": {"$in": ["component", "api", "user"]}}}])
def test_entities_are_streamed_page_by_page(client, query):
    filter_ = {} if query else {"filter": {"kind": ["component", "api", "user"]}}
    pages = client.call("streamEntities", {"pageSize": 4, "orderFields": BY_NAME, **query, **filter_}, stream=True)
    assert [names(page) for page in pages] == [[BOB, ONE, THREE, TWO], [API, SVC]]


def test_entities_come_by_their_refs_in_order(client):
    refs = ["user:default/bob", "component:default/nope", "component:other/f-two"]
    items = client.call("getEntitiesByRefs", {"entityRefs": refs, "fields": ["metadata.name"]})["items"]
    assert items == [{"metadata": {"name": BOB}}, None, {"metadata": {"name": TWO}}]
    items = client.call("getEntitiesByRefs", {"entityRefs": refs, "filter": {"kind": "component"}})["items"]
    assert [item and item["metadata"]["name"] for item in items] == [None, None, TWO]
    items = client.call("getEntitiesByRefs", {"entityRefs": refs, "query": {"$not": {"kind": "component"}}})["items"]
    assert [item and item["metadata"]["name"] for item in items] == [BOB, None, None]


def test_thousands_of_refs_come_in_several_requests(client):
    refs = [f"component:default/nope-{number}" for number in range(2500)] + ["component:default/my-svc"]
    items = client.call("getEntitiesByRefs", {"entityRefs": refs})["items"]
    assert len(client.requests) == 3
    assert items[:-1] == [None] * 2500
    assert names(items[-1:]) == [SVC]


@pytest.mark.parametrize("ref", ["component:default/my-svc", "COMPONENT:Default/MY-SVC", "Component:My-Svc"])
def test_an_entity_comes_by_its_ref_in_any_case(client, ref):
    assert names([client.call("getEntityByRef", ref)]) == [SVC]


def test_an_entity_comes_by_the_parts_of_its_name(client):
    assert names([client.call("getEntityByName", {"kind": "Resource", "namespace": "other", "name": "db"})]) == [DB]


def test_an_entity_that_does_not_exist_is_undefined(client):
    assert client.call("getEntityByRef", "component:default/nope") is None
    assert client.call("getEntityByRef", "component:a b/x y:z") is None


def test_the_ancestors_of_an_entity(client):
    found = client.call("getEntityAncestors", {"entityRef": "component:other/f-two"})
    assert found["rootEntityRef"] == "component:other/f-two"
    assert names(item["entity"] for item in found["items"]) == [TWO, LOCATION]
    with pytest.raises(ClientError) as refused:
        client.call("getEntityAncestors", {"entityRef": "component:other/nope"})
    assert (refused.value.name, refused.value.status) == ("NotFoundError", 404)


@pytest.mark.parametrize(
    "request_", [{"filter": {"kind": "component"}}, {"query": {"kind": "component"}}], ids=["filter", "query"]
)
def test_facets(client, request_):
    facets = client.call("getEntityFacets", {"facets": ["spec.type", "metadata.tags"], **request_})["facets"]
    assert facets == {
        "spec.type": [
            {"value": "SERVICE", "count": 1},
            {"value": "service", "count": 2},
            {"value": "website", "count": 1},
        ],
        "metadata.tags": [
            {"value": "c++", "count": 1},
            {"value": "data", "count": 1},
            {"value": "go", "count": 1},
            {"value": "java", "count": 2},
        ],
    }


# --- errors, as the client throws them


@pytest.mark.parametrize(
    ("method", "request_", "status", "name"),
    [
        ("getEntities", {"limit": -1}, 400, "InputError"),
        ("getEntities", {"fields": ["metadata.tags[0]"]}, 400, "InputError"),
        ("queryEntities", {"cursor": "zz"}, 400, "InputError"),
        ("queryEntities", {"query": {"$nope": 1}}, 400, "InputError"),
        ("queryEntities", {"query": {"kind": None}}, 400, "InputError"),
        ("getEntityFacets", {"facets": []}, 400, "InputError"),
        ("addLocation", {"type": "file", "target": "/etc/passwd"}, 400, "InputError"),
        ("removeLocationById", NOBODY, 404, "NotFoundError"),
        ("refreshEntity", "component:default/nope", 404, "NotFoundError"),
        ("queryLocations", {"limit": 0}, 400, "InputError"),
    ],
)
def test_the_client_throws_an_error_with_the_name_and_the_status(client, method, request_, status, name):
    with pytest.raises(ClientError) as refused:
        client.call(method, request_)
    assert (refused.value.js_class, refused.value.name, refused.value.status) == ("ResponseError", name, status)
    assert refused.value.body["response"]["statusCode"] == status
    assert refused.value.body["request"]["url"].startswith("/")
    assert not refused.value.body["request"]["url"].startswith("/api")


# --- locations and changes


def test_a_location_is_tried_registered_found_and_removed(client, changing):
    target = changing.files.put("moved-in.yaml", component("moved-in"))
    tried = client.call("addLocation", {"target": target, "dryRun": True})
    assert tried["exists"] is False
    assert names(tried["entities"]) == [LOCATION, "moved-in"]
    assert tried["location"]["entityRef"].startswith("location:default/generated-")
    assert client.call("getLocationByRef", f"url:{target}") is None
    assert client.call("getEntityByRef", "component:default/moved-in") is None

    added = client.call("addLocation", {"target": target})
    location = added["location"]
    assert added["entities"] == []
    assert (location["type"], location["target"]) == ("url", target)
    assert location["entityRef"] == tried["location"]["entityRef"]
    entity = seen(client, "component:default/moved-in")
    annotations = entity["metadata"]["annotations"]
    assert annotations["backstage.io/managed-by-location"] == f"url:{target}"
    assert annotations["backstage.io/managed-by-origin-location"] == f"url:{target}"
    assert annotations["backstage.io/view-url"] == target
    assert {"type": "ownerOf", "targetRef": "component:default/moved-in"} in client.call(
        "getEntityByRef", "group:default/team-a"
    )["relations"]

    assert client.call("addLocation", {"target": target, "dryRun": True})["exists"] is True
    assert client.call("getLocationById", location["id"]) == location
    assert client.call("getLocationByRef", f"url:{target}") == location
    assert client.call("getLocationByEntity", "component:default/moved-in") == location
    assert location in client.call("getLocations")["items"]
    assert client.call("getEntityByRef", location["entityRef"])["spec"]["target"] == target
    ancestors = client.call("getEntityAncestors", {"entityRef": "component:default/moved-in"})["items"]
    assert [item["parentEntityRefs"] for item in ancestors] == [[location["entityRef"]], []]

    client.call("removeLocationById", location["id"])
    gone(client, "component:default/moved-in")
    gone(client, location["entityRef"])
    assert client.call("getLocationById", location["id"]) is None
    assert client.call("getLocationByEntity", "component:default/f-one") is None


def test_a_location_is_registered_only_once(client, registered):
    _, location = registered
    for more in ({}, {"onConflict": "reject"}):
        with pytest.raises(ClientError) as refused:
            client.call("addLocation", {"target": location["target"], **more})
        assert (refused.value.name, refused.value.status) == ("ConflictError", 409)
    again = client.call("addLocation", {"target": location["target"], "onConflict": "refresh"})
    assert again["location"] == location


def test_a_conflict_that_refreshes_reads_the_file_again(client, changing, registered):
    name, location = registered
    changing.files.put(f"{name}.yaml", component(name, lifecycle="deprecated"))
    client.call("addLocation", {"target": location["target"], "onConflict": "refresh"})
    seen(client, f"component:default/{name}", lifecycle="deprecated")


def test_a_location_that_cannot_be_read_is_told_when_tried(client, changing):
    with pytest.raises(ClientError) as refused:
        client.call("addLocation", {"target": changing.files.url("nothing.yaml"), "dryRun": True})
    assert refused.value.status in (400, 404)


def test_a_location_is_moved(client, changing, registered):
    name, location = registered
    target = changing.files.put(f"{name}-2.yaml", component(f"{name}-2"))
    moved = client.call("updateLocation", location["id"], {"target": target})
    assert moved == {**location, "target": target}
    seen(client, f"component:default/{name}-2")
    gone(client, f"component:default/{name}")
    assert client.call("getLocationById", location["id"])["target"] == target


def test_locations_are_queried(client, registered):
    _, location = registered
    assert location in client.call("queryLocations")["items"]
    for query in (
        {"target": location["target"]},
        {"id": location["id"]},
        {"$all": [{"type": "url"}, {"target": {"$in": [location["target"]]}}]},
    ):
        found = client.call("queryLocations", {"query": query})
        assert (found["items"], found["totalItems"], found["pageInfo"]) == ([location], 1, {})
    assert client.call("queryLocations", {"query": {"target": "http://nowhere.example"}})["items"] == []


def test_locations_are_paged_and_streamed(client, changing):
    added = [
        client.call("addLocation", {"target": changing.files.put(f"many-{n}.yaml", component(f"many-{n}"))})["location"]
        for n in range(5)
    ]
    ids = {location["id"] for location in added}
    query = {"target": {"$in": [location["target"] for location in added]}}
    page = client.call("queryLocations", {"limit": 2, "query": query})
    found, total = page["items"], page["totalItems"]
    while cursor := page["pageInfo"].get("nextCursor"):
        page = client.call("queryLocations", {"cursor": cursor})
        found += page["items"]
    assert total == 5
    assert len(found) == 5
    assert {location["id"] for location in found} == ids
    streamed = client.call("streamLocations", {"limit": 2, "query": query}, stream=True)
    assert {location["id"] for page in streamed for location in page} == ids
    for location in added:
        client.call("removeLocationById", location["id"])
    for number in range(5):
        gone(client, f"component:default/many-{number}")


def test_a_changed_file_is_seen_after_a_refresh(client, changing, registered):
    name, _ = registered
    before = client.call("getEntityByRef", f"component:default/{name}")
    changing.files.put(f"{name}.yaml", component(name, lifecycle="deprecated", system="shop"))
    client.call("refreshEntity", f"component:default/{name}")
    after = seen(client, f"component:default/{name}", lifecycle="deprecated")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["etag"] != before["metadata"]["etag"]
    assert {"type": "partOf", "targetRef": "system:default/shop"} in after["relations"]


def test_a_file_that_is_gone_keeps_its_entities_and_tells_the_location(client, changing, registered):
    name, location = registered
    del changing.files.files[f"{name}.yaml"]
    client.call("refreshEntity", f"component:default/{name}")

    def told():
        items = client.call("getEntityByRef", location["entityRef"]).get("status", {}).get("items", [])
        return next((item for item in items if item["level"] == "error"), None)

    item = wait_until(told, 30, "the error to be told")
    assert item["type"] == "backstage.io/catalog-processing"
    assert item["error"]["name"] == "NotFoundError"
    assert names([client.call("getEntityByRef", f"component:default/{name}")]) == [name]


def test_a_bad_document_does_not_disturb_the_good_one_beside_it(client, changing):
    target = changing.files.put("half-good.yaml", component("half-good") + "\n---\n" + component("not good"))
    location = client.call("addLocation", {"target": target})["location"]
    seen(client, "component:default/half-good")
    client.call("removeLocationById", location["id"])
    gone(client, "component:default/half-good")


def test_locations_lead_to_locations(client, changing):
    leaf = changing.files.put("leaf.yaml", component("leaf"))
    middle = {"apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "middle"}}
    root = changing.files.put("root.yaml", json.dumps({**middle, "spec": {"targets": ["./leaf.yaml"]}}))
    location = client.call("addLocation", {"target": root})["location"]
    entity = seen(client, "component:default/leaf")
    assert entity["metadata"]["annotations"]["backstage.io/managed-by-location"] == f"url:{leaf}"
    assert entity["metadata"]["annotations"]["backstage.io/managed-by-origin-location"] == f"url:{root}"
    items = client.call("getEntityAncestors", {"entityRef": "component:default/leaf"})["items"]
    refs = {item["entity"]["metadata"]["name"].partition("-")[0]: item["parentEntityRefs"] for item in items}
    assert len(refs["leaf"]) == 1
    assert location["entityRef"] in [ref for parents in refs.values() for ref in parents]
    assert names([items[0]["entity"]]) == ["leaf"]
    assert "middle" in refs
    assert client.call("getLocationByEntity", "component:default/leaf") == location
    client.call("removeLocationById", location["id"])
    gone(client, "component:default/leaf")


def test_a_page_has_two_hundred_entities_when_nothing_is_said(client, changing):
    crowd = [f"crowd-{number:03}" for number in range(205)]
    text = "\n---\n".join(component(name, type="crowd") for name in crowd)
    location = client.call("addLocation", {"target": changing.files.put("crowd.yaml", text)})["location"]
    filters = ({"query": {"spec.type": "crowd"}}, {"filter": {"spec.type": "crowd"}})
    wait_until(lambda: client.call("queryEntities", {**filters[0], "limit": 0})["totalItems"] == 205, 60, "the crowd")
    for filter_ in filters:
        page = client.call("queryEntities", {"orderFields": BY_NAME, "fields": ["metadata.name"], **filter_})
        assert names(page["items"]) == crowd[:200]
        page = client.call("queryEntities", {"cursor": page["pageInfo"]["nextCursor"]})
        assert names(page["items"]) == crowd[200:]
    client.call("removeLocationById", location["id"])
    gone(client, "component:default/crowd-000")


def test_an_entity_is_deleted_by_its_uid(client, registered):
    name, _ = registered
    uid = client.call("getEntityByRef", f"component:default/{name}")["metadata"]["uid"]
    client.call("removeEntityByUid", uid)
    assert client.call("getEntityByRef", f"component:default/{name}") is None
    client.call("removeEntityByUid", uid)


def test_an_entity_is_validated(client):
    good = json.loads(component("fine"))
    assert client.call("validateEntity", good, "url:https://acme.example/catalog-info.yaml") == {"valid": True}
    bad = {**good, "metadata": {"name": "not fine"}}
    told = client.call("validateEntity", bad, "url:https://acme.example/catalog-info.yaml")
    assert told["valid"] is False
    assert "metadata.name" in told["errors"][0]["message"]
    told = client.call("validateEntity", good, "file:/x")
    assert told["valid"] is False


def test_a_location_without_an_entity_file_is_analysed(client, changing):
    target = changing.files.url("some/repo")
    found = client.call("analyzeLocation", {"location": {"type": "url", "target": target}})
    assert found["existingEntityFiles"] == []
    [proposal] = found["generateEntities"]
    assert proposal["fields"] == []
    entity = proposal["entity"]
    assert (entity["apiVersion"], entity["kind"]) == ("backstage.io/v1alpha1", "Component")
    assert entity["metadata"]["name"] == "repo"
    assert entity["spec"]["type"] == "other"
    assert entity["spec"]["lifecycle"] == "unknown"
