"""Reading over HTTP: every row of the tables, as a running Backstage answered it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid

import httpx
import pytest

from tests.backstage.world import ALL, API, BOB, DB, LOCATION, ONE, SVC, TEAM, THREE, TPL, TWO, names

pytestmark = pytest.mark.slow

NOBODY = "00000000-0000-4000-8000-000000000000"

FILTERS = [
    (["kind=component"], {ONE, TWO, THREE, SVC}),
    (["kind=Component,spec.type=service"], {ONE, THREE, SVC}),
    (["kind=component,kind=resource"], {ONE, TWO, THREE, SVC, DB}),
    (["kind=component", "kind=resource"], {ONE, TWO, THREE, SVC, DB}),
    (["metadata.tags=java"], {ONE, SVC}),
    (["metadata.tags.java"], {ONE, SVC}),
    (["metadata.tags.java=true"], {ONE, SVC}),
    (["metadata.tags=java,metadata.tags=go"], {ONE, TWO, SVC}),
    (["metadata.tags.java=true,metadata.tags.data=true"], {ONE}),
    (["metadata.tags=c++"], {SVC}),
    (["metadata.labels.tier=GOLD"], {ONE}),
    (["metadata.annotations.example.com/team"], {ONE, TWO}),
    (["metadata.annotations.example.com/team=alpha"], {ONE}),
    (["metadata.annotations.example.com/team=beta, gamma"], set()),
    (["spec.a.b"], {ONE}),
    (["spec.a.b.c"], {ONE}),
    (["spec.a.b=c"], {ONE}),
    (["spec.a.b.d=1"], {ONE}),
    (["spec.a.e=7"], {ONE}),
    (["spec.a.n"], {ONE}),
    (["spec.a.n="], set()),
    (["spec.a"], set()),
    (["spec.nope"], set()),
    (["spec.nope="], set()),
    (["relations.ownedBy=group:default/team-a"], {ONE, TWO, SVC, API}),
    (["relations.ownedby=GROUP:Default/Team-A"], {ONE, TWO, SVC, API}),
    (["relations.dependsOn"], {THREE}),
    (["relations.dependencyOf=component:default/f-three"], {ONE, DB}),
    (["spec.flag=true"], {TWO}),
    (["spec.num=12"], {TWO}),
    (["spec.dotted.key=v=w"], {TWO}),
    (["spec.owner=team-a"], {ONE, SVC, API}),
    (["  kind = component , spec.type = website "], {TWO}),
    ([","], ALL),
    (["kind=component,,"], {ONE, TWO, THREE, SVC}),
    (["metadata.uid"], ALL),
    (["kind"], ALL),
    (["metadata.etag"], set()),
    (["metadata.title=The One"], {ONE}),
    (["apiversion=backstage.io/v1alpha1,kind=user"], {BOB}),
    (["spec.memberof.team-a"], {BOB}),
    (["spec.memberOf=team-a"], {BOB}),
    (["metadata.namespace=OTHER"], {TWO, DB}),
    (["kind=user", ""], {BOB}),
    (["kind=user", "kind=component,metadata.tags=go", "kind=nothing"], {BOB, TWO}),
    (["kind=component,kind=user,metadata.namespace=default"], {ONE, THREE, SVC, BOB}),
]


@pytest.mark.parametrize("path", ["/entities", "/entities/by-query"])
@pytest.mark.parametrize(
    ("filters", "expected"), FILTERS, ids=lambda value: "|".join(value) if isinstance(value, list) else ""
)
def test_a_filter_finds_what_backstage_finds(judged, path, filters, expected):
    answer = judged.get(path, [("filter", text) for text in filters])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    items = body if path == "/entities" else body["items"]
    assert sorted(names(items)) == sorted(expected)
    if path == "/entities/by-query":
        assert body["totalItems"] == len(expected)
        assert body["pageInfo"] == {}


@pytest.mark.parametrize(
    ("filters", "expected"), FILTERS, ids=lambda value: "|".join(value) if isinstance(value, list) else ""
)
def test_facets_count_what_the_filter_finds(judged, filters, expected):
    answer = judged.get("/entity-facets", [("facet", "metadata.uid"), *(("filter", text) for text in filters)])
    assert sum(item["count"] for item in answer.json()["facets"]["metadata.uid"]) == len(expected)


BAD_REQUESTS = [
    ("/entities?filter=", "Empty value found for query parameter 'filter'"),
    ("/entities?fields=", "Empty value found for query parameter 'fields'"),
    ("/entities?filter=%3Dx", "filter"),
    ("/entities?nope=1", "Unknown query parameter 'nope'"),
    ("/entities?Filter=kind%3Duser", "Unknown query parameter 'Filter'"),
    ("/entities?limit=x", "request/query/limit must be integer"),
    ("/entities?limit=1.5", "request/query/limit must be integer"),
    ("/entities?limit=0", "must be greater than zero"),
    ("/entities?limit=-1", "request/query/limit must be >= 0"),
    ("/entities?offset=-1", "request/query/offset must be >= 0"),
    ("/entities?offset=a", "request/query/offset must be integer"),
    ("/entities?after=zz", "after"),
    ("/entities?order=metadata.name", "order"),
    ("/entities?order=up:metadata.name", "order"),
    ("/entities?order=asc:", "order"),
    ("/entities?fields=metadata.tags%5B0%5D", "array type fields are not supported"),
    ("/entities/by-query?cursor=", "Empty value found for query parameter 'cursor'"),
    ("/entities/by-query?cursor=zz", "Malformed cursor"),
    ("/entities/by-query?cursor=W10%3D", "Malformed cursor"),
    ("/entities/by-query?limit=-1", "request/query/limit must be >= 0"),
    ("/entities/by-query?limit=x", "request/query/limit must be integer"),
    ("/entities/by-query?orderField=metadata.title,up", "order"),
    ("/entities/by-query?totalItems=maybe", "request/query/totalItems must be equal to one of the allowed values"),
    ("/entities/by-query?fullTextFilterTerm=", "Empty value found for query parameter 'fullTextFilterTerm'"),
    ("/entities/by-query?after=x", "Unknown query parameter 'after'"),
    ("/entity-facets", "facet"),
    ("/entity-facets?facet=", "Empty value found for query parameter 'facet'"),
    ("/entity-facets?facet=kind&limit=1", "Unknown query parameter 'limit'"),
]


@pytest.mark.parametrize(("path", "words"), BAD_REQUESTS, ids=lambda value: value if value.startswith("/") else "")
def test_a_wrong_question_is_told_what_is_wrong(judged, path, words):
    body = assert_error(judged.get(path), 400, "InputError")
    assert words in body["error"]["message"]
    assert body["request"] == {"method": "GET", "url": path}


@pytest.mark.parametrize(
    "path",
    [
        "/entities/by-name/Component/default/nope",
        "/entities/by-name/Component/default/nope/ancestry",
        f"/entities/by-uid/{NOBODY}",
        f"/locations/{NOBODY}",
        "/locations/by-entity/component/default/nope",
        "/locations/by-entity/component/default/f-one",
    ],
)
def test_what_does_not_exist_is_not_found(judged, path):
    body = assert_error(judged.get(path), 404, "NotFoundError")
    assert body["request"] == {"method": "GET", "url": path}


@pytest.mark.parametrize(("headers", "words"), [({}, "Missing credentials"), ({"Authorization": "Bearer nobodys"}, "")])
@pytest.mark.parametrize("path", ["/entities", "/entities/by-query", "/entity-facets?facet=kind", "/locations"])
def test_without_a_good_token_nothing_is_told(judged, path, headers, words):
    body = assert_error(httpx.get(judged.url + path, headers=headers), 401, "AuthenticationError")
    assert words in body["error"]["message"]


def test_an_uid_that_does_not_exist_is_deleted_all_the_same(judged):
    for uid in (NOBODY, "nope"):
        answer = judged.http.delete(f"/entities/by-uid/{uid}")
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_location_that_does_not_exist_is_not_deleted(judged):
    assert_error(judged.http.delete(f"/locations/{NOBODY}"), 404, "NotFoundError")
    assert_error(
        judged.http.put(f"/locations/{NOBODY}", json={"type": "url", "target": "http://a/b"}), 404, "NotFoundError"
    )


# --- 2.5 GET /entities


FIELDS = [
    ("kind", {"kind": "Component"}),
    ("kind,metadata.name", {"kind": "Component", "metadata": {"name": ONE}}),
    ("metadata.labels", {"metadata": {"labels": {"tier": "gold"}}}),
    ("metadata.annotations.example.com/team", {"metadata": {"annotations": {"example.com/team": "Alpha"}}}),
    ("spec.a", {"spec": {"a": {"b": ["c", {"d": 1}], "e": 7, "n": None}}}),
    ("spec.a.e,spec.type", {"spec": {"a": {"e": 7}, "type": "service"}}),
    ("metadata.tags", {"metadata": {"tags": ["java", "data"]}}),
    ("metadata.nope", {}),
    ("metadata.nope,kind", {"kind": "Component"}),
]


@pytest.mark.parametrize("path", ["/entities", "/entities/by-query"])
@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_fields_keep_only_what_was_asked(judged, path, fields, expected):
    body = judged.get(path, {"fields": fields, "filter": "metadata.name=f-one"}).json()
    assert (body if path == "/entities" else body["items"]) == [expected]


def test_an_unpaged_list_ordered_by_a_field_has_only_entities_with_the_field(judged):
    assert names(judged.get("/entities", {"order": "asc:metadata.title"}).json()) == [ONE, THREE]
    assert names(judged.get("/entities", {"order": "desc:metadata.title"}).json()) == [THREE, ONE]


def test_a_paged_list_ordered_by_a_field_has_the_entities_without_it_last(judged):
    for direction, head in (("asc", [ONE, THREE]), ("desc", [THREE, ONE])):
        found = names(judged.get("/entities", {"order": f"{direction}:metadata.title", "limit": 20}).json())
        assert found[:2] == head
        assert sorted(found) == sorted(ALL)


def test_the_second_order_decides_between_equals(judged):
    params = [
        ("order", "asc:kind"),
        ("order", "desc:metadata.name"),
        ("limit", 20),
        ("filter", "kind=component,kind=user"),
    ]
    assert names(judged.get("/entities", params).json()) == [SVC, TWO, THREE, ONE, BOB]


def test_the_link_header_leads_through_all_pages(judged):
    path, found = "/entities?limit=3", []
    for _ in range(10):
        answer = judged.get(path)
        page = names(answer.json())
        found += page
        if "link" not in answer.headers:
            break
        assert len(page) == 3
        match = re.fullmatch(r'<(/entities\?[^>]*after=[^>]*)>; rel="next"', answer.headers["link"])
        assert match, answer.headers["link"]
        path = match[1]
    assert sorted(found) == sorted(ALL)


def test_the_next_page_keeps_the_filter_and_the_order(judged):
    answer = judged.get("/entities?limit=2&filter=kind%3Dcomponent&order=desc:metadata.name&fields=metadata.name")
    assert answer.json() == [{"metadata": {"name": SVC}}, {"metadata": {"name": TWO}}]
    path = answer.headers["link"].partition("<")[2].partition(">")[0]
    answer = judged.get(path)
    assert answer.json() == [{"metadata": {"name": THREE}}, {"metadata": {"name": ONE}}]
    assert "link" not in answer.headers


def test_after_is_base64_json_with_limit_and_offset(judged):
    everything = names(judged.get("/entities?limit=100").json())
    after = base64.b64encode(json.dumps({"limit": 4, "offset": 5}).encode()).decode()
    assert names(judged.get("/entities", {"after": after}).json()) == everything[5:9]
    assert names(judged.get("/entities", {"offset": 8, "limit": 5}).json()) == everything[8:]
    assert judged.get("/entities", {"offset": 50, "limit": 5}).json() == []


def test_an_unpaged_list_has_no_link(judged):
    answer = judged.get("/entities")
    assert len(answer.json()) == 10
    assert "link" not in answer.headers


# --- 2.6 by-query


def pages(judged, params, *, verb="GET"):
    """All pages, forwards. Each is (names, pageInfo, totalItems)."""
    found, query = [], dict(params)
    while True:
        answer = judged.get("/entities/by-query", query) if verb == "GET" else judged.post("/entities/by-query", query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found.append((names(body["items"]), body["pageInfo"], body["totalItems"]))
        if "nextCursor" not in body["pageInfo"]:
            return found
        assert len(found) < 20
        query = {"cursor": body["pageInfo"]["nextCursor"], "limit": params.get("limit", 20)}


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_cursors_lead_forwards_and_backwards(judged, verb):
    first = (
        {"limit": 3, "orderField": "metadata.name,asc"}
        if verb == "GET"
        else {"limit": 3, "orderBy": [{"field": "metadata.name", "order": "asc"}]}
    )
    found = pages(judged, first, verb=verb)
    assert [len(page) for page, _, _ in found] == [3, 3, 3, 1]
    everything = [name for page, _, _ in found for name in page]
    assert everything == sorted(ALL, key=str.lower)
    assert [total for _, _, total in found] == [10] * 4
    assert ["prevCursor" in info for _, info, _ in found] == [False, True, True, True]
    back, cursor = [], found[-1][1]["prevCursor"]
    while cursor:
        body = judged.get("/entities/by-query", {"cursor": cursor, "limit": 3}).json()
        back.insert(0, names(body["items"]))
        assert "nextCursor" in body["pageInfo"]
        cursor = body["pageInfo"].get("prevCursor")
    assert back == [page for page, _, _ in found[:-1]]


def test_a_cursor_is_standard_base64_of_json(judged):
    cursor = judged.get("/entities/by-query?limit=2&orderField=metadata.name,desc").json()["pageInfo"]["nextCursor"]
    told = json.loads(base64.b64decode(cursor, validate=True))
    assert isinstance(told, dict)
    assert base64.b64encode(base64.b64decode(cursor)).decode() == cursor


@pytest.mark.parametrize("made", ["GET", "POST"])
@pytest.mark.parametrize("used", ["GET", "POST"])
def test_both_verbs_take_every_cursor(judged, made, used):
    if made == "GET":
        params = {"limit": 2, "filter": "kind=component", "orderField": "metadata.name,asc"}
        body = judged.get("/entities/by-query", params).json()
    else:
        order = [{"field": "metadata.name", "order": "asc"}]
        body = judged.post("/entities/by-query", {"limit": 2, "query": {"kind": "component"}, "orderBy": order}).json()
    assert names(body["items"]) == [ONE, THREE]
    more = {"cursor": body["pageInfo"]["nextCursor"], "limit": 2}
    answer = judged.get("/entities/by-query", more) if used == "GET" else judged.post("/entities/by-query", more)
    assert answer.status_code == 200, answer.text
    assert names(answer.json()["items"]) == [TWO, SVC]
    assert answer.json()["totalItems"] == 4


def test_a_cursor_carries_its_own_filter_and_order(judged):
    params = {"limit": 2, "filter": "kind=component", "orderField": "metadata.name,asc"}
    cursor = judged.get("/entities/by-query", params).json()["pageInfo"]["nextCursor"]
    other = {"cursor": cursor, "limit": 2, "filter": "kind=user", "orderField": "metadata.name,desc"}
    assert names(judged.get("/entities/by-query", other).json()["items"]) == [TWO, SVC]


def test_fields_are_asked_anew_with_each_cursor(judged):
    params = {"limit": 1, "orderField": "metadata.title,asc", "fields": "metadata.title"}
    body = judged.get("/entities/by-query", params).json()
    assert body["items"] == [{"metadata": {"title": "The One"}}]
    more = {"cursor": body["pageInfo"]["nextCursor"], "limit": 1, "fields": "metadata.name"}
    assert judged.get("/entities/by-query", more).json()["items"] == [{"metadata": {"name": THREE}}]


QUERIES = [
    ({"limit": 0}, None, 10),
    ({"orderField": "metadata.title,asc"}, [ONE, THREE], 2),
    ({"orderField": "metadata.title"}, [ONE, THREE], 2),
    ({"orderField": "metadata.title,desc"}, [THREE, ONE], 2),
    ({"orderField": "spec.nope,desc"}, [], 0),
    ({"orderField": "metadata.name,asc", "filter": "kind=component"}, [ONE, THREE, TWO, SVC], 4),
    ({"orderField": "metadata.name,asc", "filter": "kind=component", "offset": 1, "limit": 2}, [THREE, TWO], 4),
    ({"orderField": "metadata.name,asc", "totalItems": "exclude", "limit": 1}, [BOB], 0),
    ({"orderField": "metadata.name,asc", "totalItems": "include", "limit": 1}, [BOB], 10),
    ({"fullTextFilterTerm": "one"}, [], 0),
    ({"fullTextFilterTerm": "one", "orderField": "metadata.title,asc"}, [ONE], 1),
    ({"fullTextFilterTerm": "ONE", "orderField": "metadata.title,asc"}, [ONE], 1),
    ({"fullTextFilterTerm": "f-", "orderField": "metadata.name,desc"}, [TWO, THREE, ONE], 3),
    (
        {
            "fullTextFilterTerm": "zul",
            "fullTextFilterFields": "metadata.name,metadata.title",
            "orderField": "metadata.name,asc",
        },
        [THREE],
        1,
    ),
    (
        {
            "fullTextFilterTerm": "t",
            "fullTextFilterFields": "metadata.name,metadata.title",
            "orderField": "metadata.name,asc",
            "filter": "kind=component",
        },
        [ONE, THREE, TWO],
        3,
    ),
    (
        {"fullTextFilterTerm": "java", "fullTextFilterFields": "metadata.tags", "orderField": "metadata.name,asc"},
        [ONE, SVC],
        2,
    ),
]


@pytest.mark.parametrize(
    ("params", "expected", "total"), QUERIES, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
def test_a_page_has_what_was_asked(judged, params, expected, total):
    answer = judged.get("/entities/by-query", params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["totalItems"] == total
    assert names(body["items"]) == (expected or [])


def test_wildcards_of_the_database_are_ordinary_letters(judged):
    """Better than Backstage, where a per cent sign finds everything."""
    for term in ("%", "f_one"):
        body = judged.get("/entities/by-query", {"fullTextFilterTerm": term, "orderField": "metadata.name,asc"}).json()
        assert body["totalItems"] == 0


def test_a_negative_limit_is_refused_by_post_too(judged):
    """Better than Backstage, which answers 500."""
    assert_error(judged.post("/entities/by-query", {"limit": -1}), 400, "InputError")


# --- 2.7 predicates


A, B = "group:default/team-a", "user:default/bob"
PREDICATES = [
    ({"kind": "component"}, {ONE, TWO, THREE, SVC}),
    ({"KIND": "COMPONENT"}, {ONE, TWO, THREE, SVC}),
    ({"kind": {"$in": ["user", "resource"]}}, {BOB, DB}),
    ({"$all": [{"kind": "component"}, {"$not": {"spec.type": "service"}}]}, {TWO}),
    ({"$any": [{"kind": "user"}, {"spec.type": "database"}]}, {BOB, DB}),
    ({"metadata.labels.tier": {"$exists": False}, "kind": "component"}, {TWO, THREE, SVC}),
    ({"metadata.labels.tier": {"$exists": True}}, {ONE}),
    ({"metadata.name": {"$hasPrefix": "F-"}}, {ONE, TWO, THREE}),
    ({"metadata.tags": {"$contains": "java"}}, {ONE, SVC}),
    ({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": [A, B]}}}}, {ONE, TWO, THREE, SVC, API}),
    ({"relations": {"$contains": {"type": "ownedBy", "targetRef": B}}}, {THREE}),
    ({"relations": {"$contains": {"type": "dependsOn"}}}, {THREE}),
    ({}, ALL),
    ({"$all": []}, ALL),
    ({"$any": []}, set()),
    ({"kind": {"$in": []}}, set()),
    ({"spec.num": 12}, {TWO}),
    ({"spec.flag": True}, {TWO}),
    ({"$not": {"kind": "component"}}, {DB, BOB, TEAM, API, TPL, LOCATION}),
    ({"$not": {"$not": {"kind": "user"}}}, {BOB}),
    (
        {
            "$not": {"metadata.labels.tier": {"$exists": True}},
        },
        ALL - {ONE},
    ),
    ({"kind": "component", "metadata.namespace": "other"}, {TWO}),
    ({"metadata.annotations.example.com/team": "beta, gamma"}, {TWO}),
    ({"spec.a.b": "c"}, {ONE}),
    ({"metadata.title": {"$hasPrefix": "the"}}, {ONE}),
    (
        {
            "$any": [
                {"$all": [{"kind": "component"}, {"metadata.tags": "go"}]},
                {"$not": {"kind": {"$in": ["component", "api"]}}},
            ]
        },
        {TWO, DB, BOB, TEAM, TPL, LOCATION},
    ),
]


@pytest.mark.parametrize(
    ("query", "expected"), PREDICATES, ids=lambda value: json.dumps(value) if isinstance(value, dict) else ""
)
def test_a_predicate_finds_what_backstage_finds(judged, query, expected):
    answer = judged.post("/entities/by-query", {"query": query, "limit": 100})
    assert answer.status_code == 200, answer.text
    assert sorted(names(answer.json()["items"])) == sorted(expected)
    assert answer.json()["totalItems"] == len(expected)
    facets = judged.post("/entity-facets", {"facets": ["metadata.uid"], "query": query}).json()
    assert sum(item["count"] for item in facets["facets"]["metadata.uid"]) == len(expected)


@pytest.mark.parametrize(
    ("query", "expected"), PREDICATES, ids=lambda value: json.dumps(value) if isinstance(value, dict) else ""
)
def test_a_predicate_leaves_out_of_the_refs_what_it_does_not_match(judged, query, expected):
    refs = ["component:default/f-one", "component:other/f-two", "resource:other/db", "user:default/bob"]
    items = judged.post("/entities/by-refs", {"entityRefs": refs, "query": query}).json()["items"]
    wanted = [name if name in expected else None for name in (ONE, TWO, DB, BOB)]
    assert [item and item["metadata"]["name"] for item in items] == wanted


BAD_PREDICATES = [
    "x",
    ["a"],
    {"$nope": 1},
    {"kind": {"$regex": "x"}},
    {"kind": None},
    {"spec": {"type": "service"}},
    {"kind": ["a"]},
    {"kind": {"$in": "a"}},
    {"kind": {"$in": [{"a": 1}]}},
    {"kind": {"$exists": "yes"}},
    {"metadata.name": {"$hasPrefix": 7}},
    {"$all": {"kind": "a"}},
    {"$not": [{"kind": "a"}]},
    {"$all": [{"kind": "component"}], "kind": "x"},
    {"relations": {"$contains": {"targetRef": "x"}}},
    {"metadata.links": {"$contains": {"url": "x"}}},
]


@pytest.mark.parametrize("query", BAD_PREDICATES, ids=json.dumps)
def test_a_wrong_predicate_is_refused(judged, query):
    for path, body in (
        ("/entities/by-query", {"query": query}),
        ("/entities/by-refs", {"entityRefs": ["component:default/f-one"], "query": query}),
        ("/entity-facets", {"facets": ["kind"], "query": query}),
    ):
        assert_error(judged.post(path, body), 400, "InputError")


# --- 2.8 the rest


def test_by_refs_answers_in_the_order_asked_and_null_for_what_is_not_a_full_lower_case_ref(judged):
    refs = [
        "user:default/bob",
        "component:default/my-svc",
        "Component:Default/F-One",
        "f-one",
        "component:f-one",
        "component:default/nope",
        "not a ref",
        "user:default/bob",
    ]
    items = judged.post("/entities/by-refs", {"entityRefs": refs}).json()["items"]
    assert [item and item["metadata"]["name"] for item in items] == [BOB, SVC, None, None, None, None, None, BOB]


def test_by_refs_takes_fields_and_a_filter(judged):
    refs = ["user:default/bob", "component:default/f-one"]
    body = {"entityRefs": refs, "fields": ["metadata.name"]}
    answer = judged.post("/entities/by-refs", body, {"filter": "kind=component"})
    assert answer.json() == {"items": [None, {"metadata": {"name": ONE}}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/entities/by-refs", {}),
        ("/entities/by-refs", {"entityRefs": "component:default/f-one"}),
        ("/entities/by-refs", [1]),
        ("/entities/by-query", {"cursor": "zz"}),
        ("/entities/by-query", {"cursor": ""}),
        ("/entities/by-query", {"limit": "x"}),
        ("/entities/by-query", {"orderBy": {"field": "metadata.name", "order": "asc"}}),
        ("/entities/by-query", {"orderBy": [{"field": "metadata.name", "order": "up"}]}),
        ("/entity-facets", {}),
        ("/entity-facets", {"facets": []}),
        ("/refresh", {}),
        ("/locations", {"type": "url"}),
        ("/locations", {"type": "file", "target": "/etc/passwd"}),
        ("/locations/by-query", {"limit": 0}),
        ("/locations/by-query", {"limit": -1}),
        ("/locations/by-query", {"cursor": "zz"}),
        ("/locations/by-query", {"query": {"nope": "url"}}),
        ("/analyze-location", {}),
        ("/validate-entity", {"entity": {}}),
        ("/validate-entity", {"location": "url:http://a/b"}),
        ("/validate-entity", {"entity": "x", "location": "url:http://a/b"}),
    ],
    ids=str,
)
def test_a_wrong_body_is_refused(judged, path, body):
    told = assert_error(judged.post(path, body), 400, "InputError")
    assert told["request"] == {"method": "POST", "url": path}


def test_a_body_that_is_not_json_is_refused(judged):
    answer = judged.http.post("/entities/by-refs", content="{", headers={"Content-Type": "application/json"})
    assert_error(answer, 400, "InputError")


def test_facets_are_named_as_asked_and_keep_the_case_of_values(judged):
    asked = [
        "spec.type",
        "Metadata.Tags",
        "nope",
        "relations.ownedBy",
        "kind",
        "spec.flag",
        "metadata.annotations.example.com/team",
    ]
    expected = {
        "spec.type": {"SERVICE": 1, "database": 1, "file": 1, "openapi": 1, "service": 3, "team": 1, "website": 1},
        "Metadata.Tags": {"c++": 1, "data": 1, "go": 1, "java": 2},
        "nope": {},
        "relations.ownedBy": {"group:default/team-a": 4, "group:other/platform": 1, "user:default/bob": 1},
        "kind": {"API": 1, "Component": 4, "Group": 1, "Location": 1, "Resource": 1, "Template": 1, "User": 1},
        "spec.flag": {"true": 1},
        "metadata.annotations.example.com/team": {"Alpha": 1, "beta, gamma": 1},
    }
    for answer in (
        judged.get("/entity-facets", [("facet", name) for name in asked]),
        judged.post("/entity-facets", {"facets": asked}),
    ):
        facets = answer.json()["facets"]
        assert list(facets) == asked
        for name, values in expected.items():
            assert {item["value"]: item["count"] for item in facets[name]} == values, name
            assert [item["value"] for item in facets[name]] == sorted(values), name


def test_facets_of_some_entities(judged):
    answer = judged.get("/entity-facets", {"facet": "spec.type", "filter": "kind=component"})
    assert answer.json() == {
        "facets": {
            "spec.type": [
                {"value": "SERVICE", "count": 1},
                {"value": "service", "count": 2},
                {"value": "website", "count": 1},
            ]
        }
    }


@pytest.mark.parametrize("path", ["Component/default/My-Svc", "COMPONENT/Default/MY-SVC", "component/default/my-svc"])
def test_names_are_found_in_any_case_and_told_as_written(judged, path):
    entity = judged.get(f"/entities/by-name/{path}").json()
    assert (entity["kind"], entity["metadata"]["name"]) == ("Component", SVC)
    assert judged.get(f"/entities/by-uid/{entity['metadata']['uid']}").json() == entity


def test_what_has_not_changed_is_not_sent_again(judged):
    """Better than Backstage, whose entities carry no ETag."""
    for path in (
        "/entities/by-name/component/default/f-one",
        "/entities/by-query?limit=2",
        "/entity-facets?facet=kind",
    ):
        tag = judged.get(path).headers["etag"]
        again = judged.http.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert judged.http.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_an_entity_is_told_in_full(judged):
    entity = judged.get("/entities/by-name/component/default/f-one").json()
    assert set(entity) == {"apiVersion", "kind", "metadata", "spec", "relations"}
    metadata = entity["metadata"]
    assert str(uuid.UUID(metadata["uid"])) == metadata["uid"]
    assert metadata["etag"]
    assert metadata["namespace"] == "default"
    assert metadata["tags"] == ["java", "data"]
    annotations = metadata["annotations"]
    assert annotations["backstage.io/managed-by-location"] == annotations["backstage.io/managed-by-origin-location"]
    assert re.fullmatch(r"file:/.*/catalog\.yaml", annotations["backstage.io/managed-by-location"])
    assert "backstage.io/orphan" not in annotations
    assert entity["spec"] == {
        "type": "service",
        "lifecycle": "production",
        "owner": "team-a",
        "a": {"b": ["c", {"d": 1}], "e": 7, "n": None},
    }
    assert entity["relations"] == [
        {"type": "dependencyOf", "targetRef": "component:default/f-three"},
        {"type": "ownedBy", "targetRef": "group:default/team-a"},
    ]


def test_known_lists_of_refs_and_relations_are_sorted(judged):
    entity = judged.get("/entities/by-name/component/default/f-three").json()
    assert entity["spec"]["dependsOn"] == ["component:default/f-one", "resource:other/db"]
    assert entity["relations"] == [
        {"type": "dependsOn", "targetRef": "component:default/f-one"},
        {"type": "dependsOn", "targetRef": "resource:other/db"},
        {"type": "ownedBy", "targetRef": "user:default/bob"},
    ]


def test_relations_are_there_when_there_are_none(judged):
    assert judged.get("/entities/by-name/template/default/tpl").json()["relations"] == []


def test_relations_to_what_does_not_exist_are_told_by_their_source(judged):
    entity = judged.get("/entities/by-name/resource/other/db").json()
    assert {"type": "ownedBy", "targetRef": "group:other/platform"} in entity["relations"]


def test_the_ancestry_leads_to_the_location(judged):
    body = judged.get("/entities/by-name/component/default/f-one/ancestry").json()
    assert body["rootEntityRef"] == "component:default/f-one"
    assert names(item["entity"] for item in body["items"]) == [ONE, LOCATION]
    parent = body["items"][1]["entity"]["metadata"]["name"]
    assert [item["parentEntityRefs"] for item in body["items"]] == [[f"location:default/{parent}"], []]


def test_the_generated_location_is_named_by_the_hash_of_its_target(judged):
    entity = judged.get("/entities", {"filter": "kind=location"}).json()[0]
    text = f"{entity['spec']['type']}:{entity['spec']['target']}"
    assert entity["metadata"]["name"] == "generated-" + hashlib.sha1(text.encode()).hexdigest()


def test_a_refresh_of_nothing_is_not_found(judged):
    for ref in ("component:default/nope", "f-one"):
        assert_error(judged.post("/refresh", {"entityRef": ref}), 404, "NotFoundError")


def test_a_refresh_answers_with_nothing(judged):
    answer = judged.post("/refresh", {"entityRef": "component:default/f-one"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_api_describes_itself(judged):
    body = judged.get("/openapi.json").json()
    assert body["openapi"].startswith("3.")
    assert any(path.endswith("/entities/by-query") for path in body["paths"])


def assert_error(answer, status, name):
    """The error shape of every answer that is one; returns the body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert body["error"]["name"] == name
    assert body["error"]["message"]
    assert body["response"] == {"statusCode": status}
    return body
