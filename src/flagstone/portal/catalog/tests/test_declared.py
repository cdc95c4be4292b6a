"""Kinds declared as files, and rules about which kinds may come from where."""

from __future__ import annotations

import pytest

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.portal.catalog.model.declared import DeclaredKind, declared_kind
from flagstone.portal.catalog.model.rules import Place, Rule, Rules
from flagstone.portal.catalog.service.declared import DeclaredKinds, read_kinds, rules_of
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.tests.conftest import ACME
from flagstone.portal.catalog.web.declared_cards import declared_cards

DATASET = ACME / "kinds" / "dataset.kind.yaml"


def test_the_kind_of_the_example_is_complete():
    (found,) = read_kinds([str(DATASET)])
    assert found.kind.name == "Dataset"
    assert found.kind.api_versions == ("acme.example/v1",)
    assert [field.forward for field in found.kind.relations] == ["ownedBy", "partOf", "producedBy", "dependsOn"]
    assert [card.title for card in found.cards] == ["Contents", "Produced by"]


def test_entities_of_a_declared_kind_are_validated_and_related_like_all_others(small):
    DeclaredKinds(read_kinds([str(DATASET)])).add_to(small.kinds)
    small.write(
        "all.yaml",
        """
        apiVersion: acme.example/v1
        kind: Dataset
        metadata: {name: orders-daily}
        spec: {type: table, owner: checkout, classification: internal, producedBy: [orders]}
        ---
        apiVersion: acme.example/v1
        kind: Dataset
        metadata: {name: wrong}
        spec: {type: heap, owner: checkout, classification: internal}
        """,
    )
    small.add("all.yaml")
    assert small.refs() == ["dataset:default/orders-daily"]
    assert [problem.field for problem in small.problems()] == ["spec.type"]
    assert "table, stream, files" in small.problems()[0].hint
    related = {item.type: item.ref for item in small.catalog.related("dataset:default/orders-daily")}
    assert related == {"ownedBy": "group:default/checkout", "producedBy": "component:default/orders"}


def test_the_cards_of_a_declared_kind_are_on_its_pages(small):
    kinds = DeclaredKinds(read_kinds([str(DATASET)]))
    kinds.add_to(small.kinds)
    small.write(
        "all.yaml",
        """
        apiVersion: acme.example/v1
        kind: Dataset
        metadata: {name: orders-daily}
        spec: {type: table, owner: checkout, classification: internal, retentionDays: 30, producedBy: [orders]}
        """,
    )
    small.add("all.yaml")
    browser, _ = small.browser()
    for card in declared_cards(small.catalog, kinds.kinds):
        small.cards.add(card, "catalog")
    page = browser.get("/catalog/dataset/default/orders-daily").text
    assert "Retention days" in page
    assert "Produced by" in page


def test_everything_wrong_with_a_declared_kind_is_said_at_once(tmp_path):
    file = tmp_path / "bad.kind.yaml"
    file.write_text(
        "apiVersion: flagstone.dev/v2\nkind: EntityKind\nmetadata: {name: data set}\n"
        "spec:\n  apiVersion: [x/v1]\n  schema: {type: 7}\n  relations: [{field: owner, forward: a}]\n"
        "  cards: [{title: X}]\n"
    )
    with pytest.raises(Invalid) as caught:
        read_kinds([str(file), str(tmp_path / "missing.yaml")])
    fields = {problem.field for problem in caught.value.problems}
    assert {"apiVersion", "metadata.name", "spec.apiVersion", "spec.apiVersions", "spec.schema.type"} <= fields
    assert {"spec.relations[0].reverse", "spec.relations[0].field", "spec.cards[0]"} <= fields
    assert all(problem.hint for problem in caught.value.problems)
    assert {problem.line for problem in caught.value.problems if problem.file == str(file)} >= {1, 3, 5, 6, 7, 8}


def test_a_schema_that_refers_to_other_places_is_refused():
    document = {
        "apiVersion": "flagstone.dev/v1",
        "kind": "EntityKind",
        "metadata": {"name": "Thing"},
        "spec": {"apiVersions": ["a.example/v1"], "schema": {"properties": {"x": {"$ref": "http://127.0.0.1/x"}}}},
    }
    assert [fault.message for fault in declared_kind(document)] == ["A schema may only refer to its own parts."]
    document["spec"]["schema"] = {
        "properties": {"x": {"$ref": "#/definitions/x"}},
        "definitions": {"x": {"type": "string"}},
    }
    assert isinstance(declared_kind(document), DeclaredKind)


def test_a_declared_kind_cannot_take_the_name_of_a_built_in_one(small, tmp_path):
    file = tmp_path / "component.kind.yaml"
    file.write_text(
        "apiVersion: flagstone.dev/v1\nkind: EntityKind\nmetadata: {name: Component}\nspec: {apiVersions: [x.example/v1]}\n"
    )
    with pytest.raises(Conflict, match="there already"):
        DeclaredKinds(read_kinds([str(file)])).add_to(small.kinds)


def test_without_rules_everything_is_allowed_and_with_rules_only_what_one_allows():
    user = {"kind": "User", "spec": {}}
    service = {"kind": "Component", "spec": {"type": "service"}}
    assert Rules().allows(user, "url:https://a.example/x.yaml")
    rules = Rules(
        [
            Rule((("component", "service"),)),
            Rule((("User", ""),), (Place("url", pattern="https://git.acme.example/**/org.yaml"),)),
            Rule((("Group", ""),), (Place("file", exact="/srv/org.yaml"),)),
        ]
    )
    assert rules.allows(service, "file:/any.yaml")
    assert not rules.allows({"kind": "Component", "spec": {"type": "website"}}, "file:/any.yaml")
    assert rules.allows(user, "url:https://git.acme.example/a/b/org.yaml")
    assert not rules.allows(user, "url:https://git.acme.example/a/other.yaml")
    assert rules.allows({"kind": "Group"}, "file:/srv/org.yaml")
    assert not rules.allows({"kind": "Group"}, "file:/srv/org.yaml2")


def test_one_forbidden_entity_is_one_problem_and_its_neighbours_stay(small, component):
    settings = CatalogSettings.model_validate(
        {"rules": [{"allow": ["Component", {"kind": "API", "spec.type": "grpc"}]}]}
    )
    assert rules_of(settings).allows({"kind": "API", "spec": {"type": "grpc"}}, "file:/x")
    small.ingest = IngestService(
        small.store, small.kinds, [small.ingest.source("file")], small.ctx, settings, now=small.clock
    )
    user = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: eve}\nspec: {memberOf: []}\n"
    small.write("a.yaml", "placeholder").write_text(component("shop") + "---\n" + user)
    small.add("a.yaml")
    assert small.refs() == ["component:default/shop"]
    (problem,) = small.problems()
    assert problem.code == "catalog.forbidden_kind"
    assert problem.entity_ref == "user:default/eve"
    assert "catalog.rules" in problem.hint
