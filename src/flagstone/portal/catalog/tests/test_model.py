"""The rules of entities, with the vectors that were observed on a running Backstage."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagstone.builtin.kinds import BACKSTAGE_KINDS
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.portal.catalog.model import formats
from flagstone.portal.catalog.model.documents import FileOrigin, draft_of
from flagstone.portal.catalog.model.draft import final
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.model.search_rows import search_rows
from flagstone.portal.catalog.model.validation import validate
from flagstone.sdk import EntityKind

KINDS = KindRegistry(BACKSTAGE_KINDS)
A63, A64 = "a" * 63, "a" * 64

VECTORS = {
    "is_api_version": (
        ["v1", "backstage.io/v1alpha1", "backstage.io/v1beta1", "a", "a/b", "a.b/c", "a-b.c-d/V1", A63, f"x.a/{A63}"],
        ["", "/a", "a/", "a/b/c", "A/b", "a_b/c", "backstage.io/v1-beta", A64, 7, None],
    ),
    "is_kind": (["Component", "component", "API", "a", "A1", A63], ["1a", "A-b", "A_b", "A.b", "", A64, 7]),
    "is_name": (
        ["a", "A", "a-b", "a_b", "a.b", "a--b", "a..b", "a-.b", "A1.b_c-D", A63, "CircleciBuildsDumpV2_avro_gcs"],
        ["-a", "a-", "_a", "a_", ".a", "a.", "a b", "a/b", "a:b", "å", "", A64, 7],
    ),
    "is_namespace": (["a", "a-b", "a--b", "1", "ns1", A63], ["A", "a.b", "a_b", "-a", "a-", "", A64, 7]),
    "is_label_key": (
        ["a", "a.b/c", "a/b", "a/B", "a-b.c/D_e.f-G", A63, f"a.b/{A63}"],
        ["A/b", "a/b/c", "/a", "a/", "", "a b", f"a.b/{A64}", A64, "-a.b/c"],
    ),
    "is_label_value": (["", "a", "A-b_c.d", A63], ["-a", "a-", "a b", "a/b", A64, 7, None]),
    "is_annotation_key": (
        ["a", "a.b/c", "a/B", "backstage.io/managed-by-location", A63],
        ["A/b", "a/b/c", "/a", "a/", "a_b/c", "", A64],
    ),
    "is_annotation_value": (["", "any text, with / and å"], [7, None, True]),
    "is_tag": (
        ["a", "java", "c++", "c#", "a-b", "a:b", "gpu:cuda", "1", "++", "lang:c++-17", A63],
        ["a--b", "A", "a b", "a_b", "a.b", "-a", "a-", "", A64, 7],
    ),
    "is_url": (
        ["http://a", "https://a.b/c", "mailto:a@b", "javascript:alert(1)"],
        ["a", "", "/x", "http://"],
    ),
}


@pytest.mark.parametrize(("check", "value"), [(name, value) for name, (good, _) in VECTORS.items() for value in good])
def test_what_the_format_allows_is_accepted(check, value):
    assert getattr(formats, check)(value)


@pytest.mark.parametrize(("check", "value"), [(name, value) for name, (_, bad) in VECTORS.items() for value in bad])
def test_what_the_format_forbids_is_rejected(check, value):
    assert not getattr(formats, check)(value)


@pytest.mark.parametrize("check", [name for name in VECTORS if name not in ("is_annotation_value", "is_url")])
def test_a_newline_at_the_end_is_never_overlooked(check):
    for value in VECTORS[check][0]:
        assert not getattr(formats, check)(value + "\n")


def entity(**changes):
    base = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "a"},
        "spec": {"type": "service", "lifecycle": "production", "owner": "team"},
    }
    base = copy.deepcopy(base)
    for key, value in changes.items():
        target = base
        *path, last = key.split("__")
        for part in path:
            target = target[part]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return base


def of(kind, version="backstage.io/v1alpha1", **spec):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}


T = "scaffolder.backstage.io/v1beta3"
STEP = {"action": "debug:log"}

VALID = {
    "as it is": entity(),
    "the other version": entity(apiVersion="backstage.io/v1beta1"),
    "empty description": entity(metadata__description=""),
    "empty label value": entity(metadata__labels={"a": ""}),
    "empty annotation": entity(metadata__annotations={"a": ""}),
    "tag with a colon": entity(metadata__tags=["a:b"]),
    "links": entity(metadata__links=[{"url": "https://a", "more": 1}, {"url": "mailto:a@b"}]),
    "another field of metadata": entity(metadata__x=7),
    "another field of spec": entity(spec__x={"y": 1}),
    "an owner of another kind": entity(spec__owner="component:x"),
    "an owner with a space": entity(spec__owner="o o"),
    "a user as owner": entity(spec__owner="user:bob"),
    "no APIs": entity(spec__providesApis=[]),
    "a dependency with its kind": entity(spec__dependsOn=["resource:a"]),
    "a dependent": entity(spec__dependencyOf=["component:a"]),
    "uid and etag": entity(metadata__uid="x", metadata__etag="y"),
    "a foreign reference": entity(spec__x={"$ref": "#/y"}),
    "keys that differ in case": entity(spec__x=1, spec__X=2),
    "an API": of("API", type="openapi", lifecycle="production", owner="x", definition="y"),
    "a resource": of("Resource", type="db", owner="x"),
    "a system": of("System", owner="x"),
    "a system in a domain": of("System", owner="x", domain="d"),
    "a domain below another": of("Domain", owner="x", subdomainOf="d"),
    "a group": of("Group", type="team", children=[], profile={"displayName": "x", "more": 1}),
    "a user": of("User", memberOf=[]),
    "an empty location": of("Location"),
    "a template": of(
        "Template", T, type="service", steps=[STEP], owner="x", parameters={"title": "x"}, output={"links": []}
    ),
    "a template without owner": of("Template", T, type="service", steps=[STEP]),
    "a template with pages": of("Template", T, type="service", steps=[STEP], parameters=[{"title": "x"}]),
    "a step for each": of("Template", T, type="service", steps=[{"action": "x", "each": 7}]),
}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_entity_is_accepted(name):
    assert validate(VALID[name], KINDS) == []


INVALID = {
    "no apiVersion": (entity(apiVersion=...), "catalog.schema", ""),
    "apiVersion a number": (entity(apiVersion=7), "catalog.schema", "apiVersion"),
    "apiVersion v2": (entity(apiVersion="backstage.io/v2"), "catalog.unknown_kind", "apiVersion"),
    "kind in lower case": (entity(kind="component"), "catalog.unknown_kind", "kind"),
    "unknown kind": (entity(kind="Foo"), "catalog.unknown_kind", "kind"),
    "no metadata": (entity(metadata=...), "catalog.schema", ""),
    "no name": (entity(metadata__name=...), "catalog.schema", "metadata"),
    "name with a space": (entity(metadata__name="a b"), "catalog.policy", "metadata.name"),
    "namespace null": (entity(metadata__namespace=None), "catalog.schema", "metadata.namespace"),
    "namespace empty": (entity(metadata__namespace=""), "catalog.schema", "metadata.namespace"),
    "namespace in upper case": (entity(metadata__namespace="Ns"), "catalog.policy", "metadata.namespace"),
    "title empty": (entity(metadata__title=""), "catalog.policy", "metadata.title"),
    "title a number": (entity(metadata__title=7), "catalog.policy", "metadata.title"),
    "description a number": (entity(metadata__description=7), "catalog.policy", "metadata.description"),
    "labels null": (entity(metadata__labels=None), "catalog.policy", "metadata.labels"),
    "labels a list": (entity(metadata__labels=[]), "catalog.policy", "metadata.labels"),
    "label value a number": (entity(metadata__labels={"a": 7}), "catalog.policy", "metadata.labels.a"),
    "label key with a space": (entity(metadata__labels={"a b": "c"}), "catalog.policy", "metadata.labels.a b"),
    "annotation a number": (entity(metadata__annotations={"a": 7}), "catalog.policy", "metadata.annotations.a"),
    "annotation true": (entity(metadata__annotations={"a": True}), "catalog.policy", "metadata.annotations.a"),
    "tags null": (entity(metadata__tags=None), "catalog.policy", "metadata.tags"),
    "tag in upper case": (entity(metadata__tags=["A"]), "catalog.policy", "metadata.tags[0]"),
    "tag a number": (entity(metadata__tags=[7]), "catalog.policy", "metadata.tags[0]"),
    "tag empty": (entity(metadata__tags=[""]), "catalog.policy", "metadata.tags[0]"),
    "link without url": (entity(metadata__links=[{"title": "x"}]), "catalog.policy", "metadata.links[0]"),
    "relative link": (entity(metadata__links=[{"url": "/x"}]), "catalog.policy", "metadata.links[0].url"),
    "link title empty": (
        entity(metadata__links=[{"url": "http://a", "title": ""}]),
        "catalog.policy",
        "metadata.links[0].title",
    ),
    "link title blank": (
        entity(metadata__links=[{"url": "http://a", "title": "  "}]),
        "catalog.policy",
        "metadata.links[0].title",
    ),
    "another field at the root": (entity(extra=1), "catalog.policy", "extra"),
    "relations given": (entity(relations=[]), "catalog.policy", "relations"),
    "status given": (entity(status={}), "catalog.policy", "status"),
    "no spec": (entity(spec=...), "catalog.kind_schema", "spec"),
    "spec null": (entity(spec=None), "catalog.policy", "spec"),
    "no type": (entity(spec__type=...), "catalog.kind_schema", "spec.type"),
    "no lifecycle": (entity(spec__lifecycle=...), "catalog.kind_schema", "spec.lifecycle"),
    "no owner": (entity(spec__owner=...), "catalog.kind_schema", "spec.owner"),
    "owner empty": (entity(spec__owner=""), "catalog.kind_schema", "spec.owner"),
    "owner a number": (entity(spec__owner=7), "catalog.kind_schema", "spec.owner"),
    "owner a list": (entity(spec__owner=["a"]), "catalog.kind_schema", "spec.owner"),
    "owner cut off": (entity(spec__owner="a/"), "catalog.bad_ref", "spec.owner"),
    "system empty": (entity(spec__system=""), "catalog.kind_schema", "spec.system"),
    "APIs a text": (entity(spec__providesApis="a"), "catalog.kind_schema", "spec.providesApis"),
    "an empty API": (entity(spec__providesApis=[""]), "catalog.kind_schema", "spec.providesApis[0]"),
    "a dependency without kind": (entity(spec__dependsOn=["a"]), "catalog.bad_ref", "spec.dependsOn[0]"),
    "a dependent that is a number": (entity(spec__dependencyOf=7), "catalog.kind_schema", "spec.dependencyOf"),
    "API without definition": (
        of("API", type="openapi", lifecycle="x", owner="x"),
        "catalog.kind_schema",
        "spec.definition",
    ),
    "definition an object": (
        of("API", type="openapi", lifecycle="x", owner="x", definition={"$openapi": "./y"}),
        "catalog.kind_schema",
        "spec.definition",
    ),
    "mcp-server with remotes": (
        of("API", type="mcp-server", lifecycle="x", owner="x", remotes=[{"type": "x", "url": "y"}]),
        "catalog.kind_schema",
        "spec.definition",
    ),
    "resource without type": (of("Resource", owner="x"), "catalog.kind_schema", "spec.type"),
    "resource without owner": (of("Resource", type="x"), "catalog.kind_schema", "spec.owner"),
    "system without owner": (of("System"), "catalog.kind_schema", "spec.owner"),
    "domain without owner": (of("Domain"), "catalog.kind_schema", "spec.owner"),
    "group without children": (of("Group", type="team"), "catalog.kind_schema", "spec.children"),
    "group without type": (of("Group", children=[]), "catalog.kind_schema", "spec.type"),
    "group with an empty mail": (
        of("Group", type="team", children=[], profile={"email": ""}),
        "catalog.kind_schema",
        "spec.profile.email",
    ),
    "group with an empty parent": (
        of("Group", type="team", children=[], parent=""),
        "catalog.kind_schema",
        "spec.parent",
    ),
    "user without groups": (of("User"), "catalog.kind_schema", "spec.memberOf"),
    "user with a text": (of("User", memberOf="a"), "catalog.kind_schema", "spec.memberOf"),
    "location without spec": (
        {"apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "a"}},
        "catalog.kind_schema",
        "spec",
    ),
    "location with an odd presence": (of("Location", presence="maybe"), "catalog.kind_schema", "spec.presence"),
    "template without steps": (of("Template", T, type="x"), "catalog.kind_schema", "spec.steps"),
    "template without type": (of("Template", T, steps=[STEP]), "catalog.kind_schema", "spec.type"),
    "step without action": (
        of("Template", T, type="x", steps=[{"id": "a"}]),
        "catalog.kind_schema",
        "spec.steps[0].action",
    ),
    "parameters a text": (
        of("Template", T, type="x", steps=[STEP], parameters="x"),
        "catalog.kind_schema",
        "spec.parameters",
    ),
    "output an object": (
        of("Template", T, type="x", steps=[STEP], output={"x": {}}),
        "catalog.kind_schema",
        "spec.output.x",
    ),
    "an old template": (
        of("Template", "scaffolder.backstage.io/v1beta2", type="x", steps=[STEP]),
        "catalog.unknown_kind",
        "apiVersion",
    ),
    "a kind of a module": (of("AiResource", type="x"), "catalog.unknown_kind", "kind"),
    "a list": ([], "catalog.schema", ""),
    "a NUL character": (entity(metadata__description="a\0b"), "catalog.schema", ""),
    "half a character": (entity(metadata__description="a\ud800b"), "catalog.schema", ""),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_entity_is_rejected_with_the_field_and_a_way_out(name):
    value, code, field = INVALID[name]
    faults = validate(value, KINDS)
    assert [(fault.code, fault.field) for fault in faults] == [(code, field)]
    assert faults[0].message


def test_all_faults_are_told_at_once():
    broken = entity(
        metadata__name="a b", metadata__tags=["A", "b"], spec__owner=7, spec__type=..., spec__dependsOn=["x"], extra=1
    )
    fields = {fault.field for fault in validate(broken, KINDS)}
    assert fields == {"metadata.name", "metadata.tags[0]", "spec.owner", "spec.type", "spec.dependsOn[0]", "extra"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("url:https://a/b", ("url", "https://a/b")),
        ("file:./x", ("file", "./x")),
        ("a:b:c", ("a", "b:c")),
        ("url: https://x ", ("url", "https://x")),
        ("bootstrap:bootstrap", ("bootstrap", "bootstrap")),
    ],
)
def test_a_location_is_split_at_its_first_colon(text, expected):
    assert formats.parse_location_ref(text) == expected


@pytest.mark.parametrize("text", ["url", "url:", ":x", "http://a", "https:x", "url:javascript:alert(1)"])
def test_what_is_no_location_is_refused(text):
    with pytest.raises(Invalid):
        formats.parse_location_ref(text)


def draft(value):
    assert validate(value, KINDS) == []
    origin = FileOrigin("file:/a/b.yaml", "file:/a/*.yaml", "b.yaml", None, None, None)
    return draft_of(value, KINDS, origin, line=1, source_text="")


def test_relations_come_in_pairs_and_default_to_the_namespace_of_the_entity():
    made = draft(entity(metadata__namespace="shop", spec__system="cart", spec__dependsOn=["resource:other/db"]))
    assert set(made.relations) == {
        ("component:shop/a", "ownedBy", "group:shop/team"),
        ("group:shop/team", "ownerOf", "component:shop/a"),
        ("component:shop/a", "partOf", "system:shop/cart"),
        ("system:shop/cart", "hasPart", "component:shop/a"),
        ("component:shop/a", "dependsOn", "resource:other/db"),
        ("resource:other/db", "dependencyOf", "component:shop/a"),
    }
    assert (made.owner, made.system) == ("group:shop/team", "system:shop/cart")


def test_the_order_of_references_is_not_a_change_but_other_lists_keep_theirs():
    one = draft(entity(spec__providesApis=["zed", "alpha"], spec__other=["z", "a"]))
    two = draft(entity(spec__providesApis=["alpha", "zed"], spec__other=["z", "a"]))
    assert one.digest == two.digest
    assert one.data["spec"]["providesApis"] == ["alpha", "zed"]
    assert one.data["spec"]["other"] == ["z", "a"]


def test_what_the_file_says_about_uid_and_managing_location_does_not_count():
    made = draft(entity(metadata__uid="mine", metadata__annotations={"backstage.io/managed-by-location": "url:evil"}))
    assert "uid" not in made.data["metadata"]
    assert made.data["metadata"]["annotations"]["backstage.io/managed-by-location"] == "file:/a/b.yaml"


def test_the_final_document_has_sorted_relations_and_an_etag_of_all_it_holds():
    made = draft(entity())
    text, etag = final(made.data, "u1", [("ownedBy", "group:default/t"), ("dependsOn", "x:y/z")])
    assert text.index("dependsOn") < text.index("ownedBy")
    assert final(made.data, "u1", [("dependsOn", "x:y/z"), ("ownedBy", "group:default/t")])[1] == etag
    assert final(made.data, "u1", [])[1] != etag


def test_search_rows_follow_the_rules_of_the_catalog_api():
    value = entity(
        metadata__tags=["java", "data"],
        metadata__title="The One",
        spec__a={"b": ["c", {"d": 1}], "e": 7, "n": None, "o": {}},
        spec__flag=True,
        spec__long="x" * 201,
    )
    value["spec"]["dotted.key"] = "v=w"
    rows = {(key, found) for key, found, _ in search_rows(value, "u1")}
    assert {
        ("metadata.tags", "java"),
        ("metadata.tags.java", "true"),
        ("metadata.title", "the one"),
        ("spec.a.b", "c"),
        ("spec.a.b.c", "true"),
        ("spec.a.b.d", "1"),
        ("spec.a.e", "7"),
        ("spec.a.n", None),
        ("spec.a.o", None),
        ("spec.flag", "true"),
        ("spec.dotted.key", "v=w"),
        ("spec.long", None),
        ("metadata.uid", "u1"),
        ("metadata.namespace", "default"),
    } <= rows
    assert ("metadata.title", "the one", "The One") in search_rows(value, "u1")
    assert not any(key.startswith(("relations", "status", "metadata.etag")) for key, _ in rows)


def test_two_plugins_with_one_kind_are_a_conflict_that_names_both():
    kinds = KindRegistry()
    kinds.add(EntityKind("Thing", ("v1",), {}), "acme")
    with pytest.raises(Conflict, match=r"other.*acme"):
        kinds.add(EntityKind("thing", ("v1",), {}), "other")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)


@given(
    st.one_of(
        JSON,
        st.fixed_dictionaries(
            {
                "apiVersion": st.just("backstage.io/v1alpha1") | JSON,
                "kind": st.sampled_from(["Component", "API", "Group", "Template", "Location"]) | JSON,
                "metadata": st.fixed_dictionaries({"name": st.just("a") | JSON, "tags": JSON, "links": JSON}) | JSON,
                "spec": st.dictionaries(st.sampled_from(["owner", "type", "dependsOn", "children"]), JSON) | JSON,
            }
        ),
    )
)
def test_no_document_makes_the_validation_fail(value):
    faults = validate(value, KINDS)
    if not faults:
        draft(value)
