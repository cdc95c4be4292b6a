"""Table 1.4.1 through ``/validate-entity``: one thing changed in a good entity, and whether it is then good."""

from __future__ import annotations

import copy

import pytest

pytestmark = pytest.mark.slow


class _Missing:
    """Takes a field away; its name is the same in every test process."""

    def __repr__(self):
        return "MISSING"


MISSING = _Missing()
COMPONENT = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "a"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "team-a"},
}


def other(kind, spec, api_version="backstage.io/v1alpha1"):
    """An entity of another kind."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a"},
        **({} if spec is MISSING else {"spec": spec}),
    }


def template(**spec):
    """A template with changes in its spec."""
    full = {"type": "service", "owner": "team-a", "steps": [{"id": "a", "name": "A", "action": "debug:log"}], **spec}
    spec = {key: value for key, value in full.items() if value is not MISSING}
    return other("Template", spec, "scaffolder.backstage.io/v1beta3")


GOOD = {
    "nothing changed": {},
    "apiVersion v1beta1": {"apiVersion": "backstage.io/v1beta1"},
    "an empty description": {"metadata.description": ""},
    "an empty label": {"metadata.labels": {"a": ""}},
    "an empty annotation": {"metadata.annotations": {"a": ""}},
    "a tag with a colon": {"metadata.tags": ["a:b"]},
    "a link": {"metadata.links": [{"url": "https://acme.example/x"}]},
    "a link with another key": {"metadata.links": [{"url": "https://acme.example/x", "colour": "red"}]},
    "a mailto link": {"metadata.links": [{"url": "mailto:team@acme.example"}]},
    "another field in metadata": {"metadata.mood": {"a": [1]}},
    "an owner of another kind": {"spec.owner": "component:x"},
    "an owner that is a user": {"spec.owner": "user:bob"},
    "an owner with a space": {"spec.owner": "o o"},
    "no APIs": {"spec.providesApis": []},
    "dependsOn a resource": {"spec.dependsOn": ["resource:a"]},
    "dependencyOf a component": {"spec.dependencyOf": ["component:a"]},
    "more in the spec": {"spec.more": {"a": None}},
    "two keys that differ in case": {"spec.more": 1, "spec.More": 2},
    "uid and etag": {"metadata.uid": "x", "metadata.etag": "y"},
    "a $ref is left alone": {"spec.more": {"$ref": "#/a"}},
    "a $text with company is left alone": {"spec.more": {"$text": "a", "b": 1}},
}
BAD = {
    "no apiVersion": {"apiVersion": MISSING},
    "a number as apiVersion": {"apiVersion": 1},
    "apiVersion v2": {"apiVersion": "backstage.io/v2"},
    "the kind in small letters": {"kind": "component"},
    "an unknown kind": {"kind": "Foo"},
    "no metadata": {"metadata": MISSING},
    "no name": {"metadata.name": MISSING},
    "a name with a space": {"metadata.name": "a b"},
    "a name of 64 letters": {"metadata.name": "a" * 64},
    "namespace null": {"metadata.namespace": None},
    "an empty namespace": {"metadata.namespace": ""},
    "a namespace with a capital": {"metadata.namespace": "Ns"},
    "an empty title": {"metadata.title": ""},
    "a number as title": {"metadata.title": 7},
    "a number as description": {"metadata.description": 7},
    "labels null": {"metadata.labels": None},
    "labels as a list": {"metadata.labels": []},
    "a number as label": {"metadata.labels": {"a": 7}},
    "a label with a space": {"metadata.labels": {"a b": "x"}},
    "a number as annotation": {"metadata.annotations": {"a": 7}},
    "true as annotation": {"metadata.annotations": {"a": True}},
    "tags null": {"metadata.tags": None},
    "a tag with a capital": {"metadata.tags": ["A"]},
    "a number as tag": {"metadata.tags": [7]},
    "an empty tag": {"metadata.tags": [""]},
    "a link without url": {"metadata.links": [{"title": "x"}]},
    "a relative link": {"metadata.links": [{"url": "/x"}]},
    "a link with an empty title": {"metadata.links": [{"url": "https://acme.example", "title": ""}]},
    "a link with a blank title": {"metadata.links": [{"url": "https://acme.example", "title": "  "}]},
    "another field at the root": {"more": 1},
    "relations": {"relations": []},
    "status": {"status": {}},
    "no spec": {"spec": MISSING},
    "spec null": {"spec": None},
    "no type": {"spec.type": MISSING},
    "an empty type": {"spec.type": ""},
    "no lifecycle": {"spec.lifecycle": MISSING},
    "an empty lifecycle": {"spec.lifecycle": ""},
    "no owner": {"spec.owner": MISSING},
    "an empty owner": {"spec.owner": ""},
    "a number as owner": {"spec.owner": 7},
    "a list as owner": {"spec.owner": ["a"]},
    "an owner that is no ref": {"spec.owner": "a/"},
    "an empty system": {"spec.system": ""},
    "a text as providesApis": {"spec.providesApis": "a"},
    "an empty API": {"spec.providesApis": [""]},
    "dependsOn without kind": {"spec.dependsOn": ["a"]},
    "a number as dependencyOf": {"spec.dependencyOf": 7},
    "a $text that is a number": {"spec.more": {"$text": 7}},
    "a $text of another repository": {"spec.more": {"$text": "https://github.com/acme/other/blob/main/x.md"}},
}
OTHER_GOOD = {
    "API": other("API", {"type": "openapi", "lifecycle": "production", "owner": "a", "definition": "x"}),
    "Resource": other("Resource", {"type": "database", "owner": "a"}),
    "System": other("System", {"owner": "a"}),
    "System in a domain": other("System", {"owner": "a", "domain": "d"}),
    "Domain": other("Domain", {"owner": "a"}),
    "Domain in a domain": other("Domain", {"owner": "a", "subdomainOf": "d"}),
    "Group": other("Group", {"type": "team", "children": []}),
    "Group with more in its profile": other("Group", {"type": "team", "children": [], "profile": {"mood": "x"}}),
    "User": other("User", {"memberOf": []}),
    "Location with nothing": other("Location", {}),
    "Template": template(),
    "Template without owner": template(owner=MISSING),
    "Template with a list of parameters": template(parameters=[{"title": "x", "properties": {}}]),
    "Template with a number in each": template(steps=[{"action": "debug:log", "each": 7}]),
    "Template without links in its output": template(output={"links": []}),
}
OTHER_BAD = {
    "API without definition": other("API", {"type": "openapi", "lifecycle": "production", "owner": "a"}),
    "API with an object as definition": other(
        "API", {"type": "openapi", "lifecycle": "production", "owner": "a", "definition": {"a": 1}}
    ),
    "API with $openapi": other(
        "API", {"type": "openapi", "lifecycle": "production", "owner": "a", "definition": {"$openapi": "./y"}}
    ),
    "API mcp-server without definition": other(
        "API",
        {
            "type": "mcp-server",
            "lifecycle": "production",
            "owner": "a",
            "remotes": [{"type": "http", "url": "https://a.example"}],
        },
    ),
    "Resource without type": other("Resource", {"owner": "a"}),
    "Resource without owner": other("Resource", {"type": "database"}),
    "System without owner": other("System", {}),
    "Domain without owner": other("Domain", {}),
    "Group without children": other("Group", {"type": "team"}),
    "Group without type": other("Group", {"children": []}),
    "Group with an empty address": other("Group", {"type": "team", "children": [], "profile": {"email": ""}}),
    "Group with an empty parent": other("Group", {"type": "team", "children": [], "parent": ""}),
    "User without memberOf": other("User", {}),
    "User with a text as memberOf": other("User", {"memberOf": "a"}),
    "User without spec": other("User", MISSING),
    "Location without spec": other("Location", MISSING),
    "Location with another presence": other("Location", {"presence": "maybe"}),
    "Location of files in a url location": other("Location", {"type": "file", "target": "./x"}),
    "Template without steps": template(steps=MISSING),
    "Template without type": template(type=MISSING),
    "Template with a step without action": template(steps=[{"id": "a"}]),
    "Template with a text as parameters": template(parameters="x"),
    "Template v1beta2": {**template(), "apiVersion": "backstage.io/v1beta2"},
    "AiResource": other("AiResource", {"type": "skill", "lifecycle": "production", "owner": "a"}),
}


def changed(changes):
    """The component with things changed at dotted paths."""
    entity = copy.deepcopy(COMPONENT)
    for path, value in changes.items():
        *parents, last = path.split(".", 1)
        target = entity[parents[0]] if parents else entity
        if value is MISSING:
            del target[last]
        else:
            target[last] = value
    return entity


def validate(judged, entity):
    """Ask; the location need not exist."""
    return judged.post("/validate-entity", {"entity": entity, "location": f"url:{judged.files.url('validated.yaml')}"})


@pytest.mark.parametrize("entity", [*map(changed, GOOD.values()), *OTHER_GOOD.values()], ids=[*GOOD, *OTHER_GOOD])
def test_a_good_entity_is_valid(judged, entity):
    answer = validate(judged, entity)
    assert (answer.status_code, answer.content) == (200, b""), answer.text


@pytest.mark.parametrize("entity", [*map(changed, BAD.values()), *OTHER_BAD.values()], ids=[*BAD, *OTHER_BAD])
def test_a_bad_entity_is_told_why(judged, entity):
    answer = validate(judged, entity)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert set(body) == {"errors"}
    assert body["errors"]
    for error in body["errors"]:
        assert error["name"] in ("InputError", "TypeError", "Error")
        assert error["message"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"apiVersion": "backstage.io/v2"}, ["No processor recognized the entity component:default/a as valid"]),
        ({"kind": "Foo"}, ["No processor recognized the entity foo:default/a as valid"]),
        ({"metadata.name": "a b"}, ["metadata.name", "a b"]),
        ({"metadata.tags": ["fine", "A"]}, ["tags.1", "A"]),
        ({"metadata.labels": {"a b": "x"}}, ["labels.a b"]),
        ({"spec.owner": MISSING}, ["/spec", "owner"]),
        ({"spec.providesApis": "a"}, ["/spec/providesApis", "array"]),
        ({"spec.owner": "a/"}, ["a/"]),
        ({"spec.dependsOn": ["a"]}, ['"a"', "kind"]),
        ({"more": 1}, ["additional properties"]),
    ],
    ids=str,
)
def test_the_message_names_the_place(judged, changes, words):
    text = " ".join(error["message"] for error in validate(judged, changed(changes)).json()["errors"])
    for word in words:
        assert word in text


def test_a_location_entity_is_valid_only_if_its_target_can_be_read(judged):
    there = judged.files.put(
        "there.yaml",
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: g}\nspec: {type: team, children: []}\n",
    )
    assert validate(judged, other("Location", {"type": "url", "target": there})).status_code == 200
    answer = validate(judged, other("Location", {"type": "url", "target": judged.files.url("not-there.yaml")}))
    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize("location", ["file:/x", "x", "url:"])
def test_the_location_must_be_a_url(judged, location):
    answer = judged.post("/validate-entity", {"entity": COMPONENT, "location": location})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["name"]
    assert error["message"]
