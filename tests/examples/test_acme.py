"""The example organisation is correct catalog input by itself, whatever reads it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

Entity = dict[str, Any]
Entities = list[tuple[Path, Entity]]

NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*")
KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
)
REQUIRED = {
    "Component": {"type", "lifecycle", "owner"},
    "API": {"type", "lifecycle", "owner", "definition"},
    "Resource": {"type", "owner"},
    "System": {"owner"},
    "Domain": {"owner"},
    "Group": {"type", "children"},
    "User": {"memberOf"},
    "Template": {"type", "steps"},
    "Location": set[str](),
    "Dataset": {"type", "owner", "classification"},
}
REFERENCES = {  # field -> kind that a reference without one means
    "owner": "group",
    "system": "system",
    "domain": "domain",
    "subcomponentOf": "component",
    "providesApis": "api",
    "consumesApis": "api",
    "dependsOn": "",
    "producedBy": "component",
    "storedIn": "resource",
    "memberOf": "group",
    "parent": "group",
    "children": "group",
}


def full_ref(text: str, default_kind: str) -> str:
    """The reference with kind and namespace."""
    kind, _, rest = text.rpartition(":")
    namespace, _, name = rest.rpartition("/")
    return f"{kind or default_kind}:{namespace or 'default'}/{name}".lower()


def fits(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a name or tag is well-formed and not too long."""
    return len(text) <= 63 and pattern.fullmatch(text) is not None


def ref_of(entity: Entity) -> str:
    """The entity's own reference."""
    return full_ref(entity["metadata"]["name"], entity["kind"])


def references(entity: Entity) -> list[tuple[str, str]]:
    """Field and full reference of everything the entity points to."""
    found = []
    for field, kind in REFERENCES.items():
        value = entity["spec"].get(field, [])
        found += [(field, full_ref(item, kind)) for item in ([value] if isinstance(value, str) else value)]
    return found


def strings(value: Any) -> list[str]:
    """Every string in a nested value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_every_yaml_file_outside_a_skeleton_parses(acme: Path) -> None:
    for path in acme.rglob("*.y*ml"):
        if "skeleton" not in path.parts:
            assert list(yaml.safe_load_all(path.read_text())), path


def test_the_root_location_reaches_every_entity_file(acme: Path, entities: Entities) -> None:
    reached = {path for path, _ in entities}
    folders = ("org", "domains", "systems", "resources", "apis", "datasets")
    expected = {path for folder in folders for path in (acme / folder).glob("*.yaml")}
    expected |= set(acme.glob("components/*/catalog-info.yaml")) | set(acme.glob("templates/*/template.yaml"))
    assert reached == expected | {acme / "catalog-info.yaml"}
    assert not [path for path in reached if "skeleton" in path.parts]


def test_the_organisation_has_the_promised_size(entities: Entities) -> None:
    kinds = Counter(entity["kind"] for _, entity in entities)
    assert kinds == {
        "Location": 1, "Group": 8, "User": 12, "Domain": 3, "System": 7,
        "Component": 20, "API": 9, "Resource": 9, "Template": 10, "Dataset": 2,
    }  # fmt: skip


def test_names_tags_labels_and_annotations_follow_the_rules(entities: Entities) -> None:
    for path, entity in entities:
        metadata = entity["metadata"]
        assert fits(NAME, metadata["name"]), path
        assert set(entity) == {"apiVersion", "kind", "metadata", "spec"}, path
        for tag in metadata.get("tags", []):
            assert fits(TAG, tag), (path, tag)
        for key, value in (metadata.get("labels", {}) | metadata.get("annotations", {})).items():
            assert KEY.fullmatch(key), (path, key)
            assert isinstance(value, str), (path, key)
        for value in metadata.get("labels", {}).values():
            assert NAME.fullmatch(value), (path, value)
        for link in metadata.get("links", []):
            assert re.match(r"https://[a-z.]+\.example\b", link["url"]), (path, link)


def test_every_entity_is_described_and_has_what_its_kind_requires(entities: Entities) -> None:
    for path, entity in entities:
        assert entity["metadata"]["description"].strip(), path
        assert REQUIRED[entity["kind"]] <= set(entity["spec"]), path
        others = {"Template": "scaffolder.backstage.io/v1beta3", "Dataset": "acme.example/v1"}
        assert entity["apiVersion"] == others.get(entity["kind"], "backstage.io/v1alpha1"), path


def test_no_two_entities_have_the_same_reference(entities: Entities) -> None:
    twice = [ref for ref, count in Counter(ref_of(entity) for _, entity in entities).items() if count > 1]
    assert not twice


def test_every_reference_points_to_an_entity_of_the_example(entities: Entities) -> None:
    known = {ref_of(entity) for _, entity in entities}
    dangling = [
        (str(path), field, ref) for path, entity in entities for field, ref in references(entity) if ref not in known
    ]
    assert not dangling


def test_everything_but_the_roots_is_pointed_to_or_points_somewhere(entities: Entities) -> None:
    targets = {ref for _, entity in entities for _, ref in references(entity)}
    alone = [
        ref_of(e) for _, e in entities if e["kind"] != "Location" and not references(e) and ref_of(e) not in targets
    ]
    assert not alone


def test_every_api_has_exactly_one_provider_and_every_api_is_consumed(entities: Entities) -> None:
    provided = Counter(ref for _, e in entities for field, ref in references(e) if field == "providesApis")
    consumed = {ref for _, e in entities for field, ref in references(e) if field == "consumesApis"}
    apis = {ref_of(entity) for _, entity in entities if entity["kind"] == "API"}
    assert provided == dict.fromkeys(apis, 1)
    assert consumed == apis


def test_groups_form_one_tree(entities: Entities) -> None:
    groups = {entity["metadata"]["name"]: entity["spec"] for _, entity in entities if entity["kind"] == "Group"}
    assert [name for name, spec in groups.items() if "parent" not in spec] == ["acme"]
    for name, spec in groups.items():
        assert set(spec["children"]) == {other for other, its in groups.items() if its.get("parent") == name}


def test_every_api_definition_is_a_readable_file(entities: Entities) -> None:
    for path, entity in entities:
        if entity["kind"] == "API":
            definition = path.parent / entity["spec"]["definition"]["$text"]
            assert definition.read_text().strip(), path


@pytest.mark.parametrize("folder", ["openapi", "asyncapi"])
def test_http_and_event_definitions_are_whole(acme: Path, folder: str) -> None:
    files = sorted((acme / "apis" / folder).glob("*.yaml"))
    assert files
    for path in files:
        document = yaml.safe_load(path.read_text())
        assert document.get("openapi", document.get("asyncapi")) in ("3.1.0", "3.0.0"), path
        assert {"title", "version", "description"} <= set(document["info"]), path
        for pointer in [text for text in strings(document) if text.startswith("#/")]:
            node = document
            for part in pointer.removeprefix("#/").split("/"):
                assert part in node, (path, pointer)
                node = node[part]


def test_every_operation_has_an_id_of_its_own_and_answers(acme: Path) -> None:
    for path in (acme / "apis" / "openapi").glob("*.yaml"):
        items = yaml.safe_load(path.read_text())["paths"].values()
        operations = [item[method] for item in items for method in ("get", "put", "post", "delete") if method in item]
        ids = [operation["operationId"] for operation in operations]
        assert ids, path
        assert len(ids) == len(set(ids)), path
        assert all(operation["responses"] and operation["summary"] for operation in operations), path


def test_components_have_a_readme_and_documentation_where_they_say_so(entities: Entities) -> None:
    documented = 0
    for path, entity in entities:
        if entity["kind"] != "Component":
            continue
        assert (path.parent / "README.md").read_text().startswith("# "), path
        says_so = "backstage.io/techdocs-ref" in entity["metadata"]["annotations"]
        assert says_so == (path.parent / "docs" / "index.md").exists(), path
        documented += says_so
    assert documented >= 6


def test_documentation_links_and_navigation_lead_somewhere(acme: Path) -> None:
    for page in acme.glob("components/**/*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), (page, target)
    for settings in acme.glob("components/*/mkdocs.yml"):
        for item in yaml.safe_load(settings.read_text())["nav"]:
            for file in item.values():
                assert (settings.parent / "docs" / file).exists(), (settings, file)
