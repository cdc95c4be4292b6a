"""What the form library of Backstage draws and checks: every type, format, widget and combinator, one case each."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.web.forms import answers, check, fields, filter_terms, flat, parse, parse_body, settle, summary
from flagstone.toolkit.web.forms.compiled import pattern_fault
from flagstone.toolkit.web.forms.schema import EXTRA


def form(**properties):
    return {"type": "object", "properties": properties}


def drawn(page, values=None, **more):
    return {item.name: item for item in flat(fields(page, values or {}, **more))}


def post(page, values=None, *pairs, operation="", **named):
    seen = [("_shown", name) for name, item in drawn(page, values).items() if not item.fixed]
    rows = [("_shown", row.name) for item in drawn(page, values).values() for row in item.rows]
    body = parse_body(urlencode([*seen, *rows, *pairs, *named.items()]).encode())
    return parse(page, body, values or {}, operation)


def messages(page, values):
    return {fault.name: fault.message for fault in check(page, values)}


@pytest.mark.parametrize(
    ("rule", "widget"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "null"}, "hidden"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "string", "format": "uri"}, "url"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "date-time"}, "datetime-local"),
        ({"type": "string", "format": "time"}, "time"),
        ({"type": "string", "format": "data-url"}, "file"),
        ({"type": "string", "format": "password"}, "password"),
        ({"type": "string", "ui:widget": "textarea"}, "textarea"),
        ({"type": "string", "ui:options": {"widget": "textarea"}}, "textarea"),
        ({"type": "string", "ui:widget": "color"}, "color"),
        ({"type": "string", "ui:widget": "alt-date"}, "date"),
        ({"type": "string", "ui:widget": "hidden"}, "hidden"),
        ({"type": "string", "ui:widget": "NoSuchWidget"}, "text"),
        ({"type": "string", "enum": ["a"]}, "select"),
        ({"type": "string", "enum": ["a"], "ui:widget": "radio"}, "radio"),
        ({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}, "select"),
        ({"type": "number"}, "number"),
        ({"type": "integer", "ui:widget": "updown"}, "number"),
        ({"type": "integer", "ui:widget": "range"}, "range"),
        ({"type": "number", "enum": [1, 2.5]}, "select"),
        ({"type": "boolean"}, "switch"),
        ({"type": "boolean", "ui:widget": "radio"}, "radio"),
        ({"type": "boolean", "ui:widget": "select"}, "select"),
        ({"type": "object"}, "json"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "group"),
        ({"type": "object", "properties": {"a": {}}}, "group"),
        ({"type": "array"}, "json"),
        ({"type": "array", "items": {"type": "string"}}, "tags"),
        ({"type": "array", "items": {"type": "string", "format": "email"}}, "rows"),
        ({"type": "array", "items": {"type": "object", "properties": {"a": {}}}}, "rows"),
        ({"type": "array", "items": [{"type": "string"}, {"type": "number"}]}, "rows"),
        ({"type": "array", "uniqueItems": True, "items": {"enum": ["a", "b"]}}, "checkboxes"),
        ({"type": "array", "ui:widget": "select", "items": {"enum": ["a", "b"]}}, "many"),
        ({"type": "array", "uniqueItems": True, "items": {"enum": list("abcdefghijklmnopq")}}, "many"),
        ({"type": "array", "items": {"type": "string", "format": "data-url"}}, "files"),
        ({"type": "array", "ui:field": "EntityTagsPicker", "items": {"type": "string"}}, "labels"),
        ({"type": "array", "ui:field": "MultiEntityPicker", "items": {"type": "string"}}, "entities"),
        ({"type": "string", "ui:field": "RepoBranchPicker"}, "search"),
    ],
)
def test_each_rule_is_drawn_by_its_control(rule, widget):
    assert drawn(form(x=rule))["x"].widget == widget


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"format": "email"}, ["a@b.example", "a+b@c"], ["a", "a@", "@b", "a b@c.d"]),
        ({"format": "uri"}, ["https://a.example/x?y#z", "mailto:a@b.c"], ["a.example", "https://", "http:// x"]),
        ({"format": "date"}, ["2026-02-28"], ["2026-02-30", "28.02.2026"]),
        ({"format": "date-time"}, ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00+01:00"], ["2026-02-28", "10:00"]),
        ({"format": "time"}, ["10:00:00", "10:00:00Z"], ["25:00:00", "ten"]),
        ({"format": "ipv4"}, ["192.0.2.1"], ["192.0.2.256"]),
        ({"format": "ipv6"}, ["::1"], ["::g"]),
        ({"format": "hostname"}, ["a-b.example"], ["-a.example", "a_b"]),
        ({"format": "uuid"}, ["0e7d2bd2-8a1e-4c7e-9c2a-4a2f1a1f2b3c"], ["0e7d2bd2"]),
        ({"format": "color"}, ["#1f6feb"], ["red"]),
        ({"format": "data-url"}, ["data:text/plain;name=a.txt;base64,YQ=="], ["data:text/plain,a", "a"]),
        ({"format": "made-up"}, ["anything"], []),
        ({"pattern": "^(?!-)[a-z-]+(?<!-)$"}, ["a-b"], ["-a", "a-"]),
        ({"pattern": "^(?=.*[0-9])(?=.*[a-z]).{4,}$"}, ["abc1"], ["abcd", "1234"]),
        ({"pattern": "^\\p{Lu}"}, ["Éa"], ["éa"]),
        ({"pattern": "(a)\\1"}, ["what nobody can read fits"], []),
        ({"minLength": 2, "maxLength": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"const": "a"}, ["a"], ["b"]),
        ({"enum": ["a", "b"]}, ["a"], ["c"]),
        ({"ui:field": "EntityNamePicker"}, ["a.b_c-d"], ["-a", "a b", "a" * 64]),
        ({"ui:field": "RepoUrlPicker"}, ["github.com?owner=a&repo=b"], ["github.com?owner=a", "?owner=a&repo=b"]),
        ({"ui:field": "RepoUrlPicker"}, ["dev.azure.com?organization=o&project=p&repo=r"], ["dev.azure.com?repo=r"]),
        ({"ui:field": "RepoUrlPicker"}, ["bitbucket.org?workspace=w&project=p&repo=r"], ["bitbucket.org?repo=r"]),
        (
            {"ui:field": "RepoUrlPicker", "ui:options": {"allowedHosts": ["flagstone"], "allowedOwners": ["a"]}},
            ["flagstone?owner=a&repo=b"],
            ["github.com?owner=a&repo=b", "flagstone?owner=z&repo=b"],
        ),
        (
            {"ui:field": "RepoUrlPicker", "ui:options": {"allowedRepos": ["b"]}},
            ["h?owner=a&repo=b"],
            ["h?owner=a&repo=c"],
        ),
        ({"ui:field": "EntityPicker"}, ["component:default/a"], ["a", "a:b:c/d/e f", "::"]),
    ],
)
def test_texts_are_checked(rule, right, wrong):
    page = form(x={"type": "string", **rule})
    assert [text for text in right if messages(page, {"x": text})] == []
    assert [text for text in wrong if not messages(page, {"x": text})] == []


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3], [0, 4, 1.5, "one", True]),
        ({"type": "number", "multipleOf": 0.1}, [0.3, 0.7, 12], [0.35]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1]),
        ({"type": "boolean"}, [True, False], ["true", 1]),
        ({"type": "array", "minItems": 1, "maxItems": 2, "items": {}}, [[1], [1, 2]], [[], [1, 2, 3]]),
        (
            {"type": "array", "uniqueItems": True, "items": {}},
            [[1, 2], [{"a": 1}, {"a": 2}]],
            [[1, 1], [{"a": 1}, {"a": 1}]],
        ),
        ({"type": "array", "items": {"type": "string"}}, [["a"]], [["a", 1]]),
        ({"type": "array", "contains": {"const": "a"}, "items": {}}, [["b", "a"]], [["b"]]),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, [{"a": "x"}], [{}, {"a": 1}]),
        ({"type": "array", "ui:field": "EntityTagsPicker", "items": {}}, [["a-b", "c++"]], [["A"], ["a b"]]),
        ({"type": "array", "ui:field": "MultiEntityPicker", "items": {}}, [["group:default/a"]], [["a b/c"]]),
        ({"not": {"const": "a"}, "type": "string"}, ["b"], ["a"]),
    ],
)
def test_other_values_are_checked(rule, right, wrong):
    page = form(x=rule) | {"required": ["x"]}
    assert [value for value in right if messages(page, {"x": value})] == []
    assert [value for value in wrong if not messages(page, {"x": value})] == []


def test_the_author_says_what_is_wrong_in_his_own_words():
    page = form(
        name={"type": "string", "pattern": "^a", "minLength": 3, "errorMessage": {"pattern": "Begin with a."}},
        other={"type": "string", "maxLength": 2, "errorMessage": "Two letters at most, please."},
        third={"type": "string", "maxLength": 2},
        fourth={"type": "string", "minLength": 5, "errorMessage": {"_": "Not like this."}},
    ) | {
        "required": ["gone"],
        "errorMessage": {"required": {"gone": "We need this."}, "properties": {"third": "Third!"}},
    }
    found = messages(page, {"name": "bbbb", "other": "long", "third": "long", "fourth": "x"})
    assert found == {
        "name": "Begin with a.",
        "other": "Two letters at most, please.",
        "third": "Third!",
        "fourth": "Not like this.",
        "gone": "We need this.",
    }
    assert messages(form(name=page["properties"]["name"]), {"name": "ab"})["name"].startswith("At least 3")


def test_date_and_time_are_stored_as_the_schema_asks():
    page = form(at={"type": "string", "format": "date-time"}, time={"type": "string", "format": "time"})
    posted = post(page, {}, at="2026-05-31T14:00", time="14:00")
    assert posted.values == {"at": "2026-05-31T14:00:00Z", "time": "14:00:00"}
    assert messages(page, posted.values) == {}
    assert drawn(page, {"at": "2026-05-31T16:00:00+02:00"})["at"].value == "2026-05-31T14:00"


def test_a_file_stays_until_another_comes_or_it_is_taken_away():
    page = form(
        one={"type": "string", "format": "data-url"},
        more={"type": "array", "items": {"type": "string", "format": "data-url"}},
    )
    first, second = "data:text/plain;name=a.txt;base64,YQ==", "data:text/plain;name=b.txt;base64,Yg=="
    kept = post(page, {}, ("one", first), ("more", first), ("more", second)).values
    assert kept == {"one": first, "more": [first, second]}
    assert post(page, kept).values == kept
    assert drawn(page, kept)["more"].value == ["a.txt", "b.txt"]
    assert post(page, kept, ("one.clear", "1")).values["one"] is None
    assert summary([page], kept)[0][0].text == "a.txt"


def test_alternatives_without_a_field_that_tells_them_apart_bring_one_that_does():
    page = form(name={"type": "string"}) | {
        "oneOf": [
            {"title": "By team", "required": ["team"], "properties": {"team": {"type": "string"}}},
            {"title": "By person", "required": ["person"], "properties": {"person": {"type": "string"}}},
        ]
    }
    found = drawn(page)
    assert list(found) == ["name", ":choice", "team"]
    assert found[":choice"].pairs == [("0", "By team"), ("1", "By person")]
    values = post(page, {}, (":choice", "1")).values
    assert list(drawn(page, values)) == ["name", ":choice", "person"]
    assert messages(page, values) == {"person": "Fill in this field."}
    assert answers([page], {**values, "person": "ada", "team": "old"}) == {"person": "ada"}
    assert list(drawn(page, {"person": "ada"})) == ["name", ":choice", "person"]
    assert [item.label for item in summary([page], {**values, "person": "ada"})[0]] == ["person"]


def test_alternatives_with_a_fixed_value_each_are_told_apart_by_it():
    page = {
        "oneOf": [
            {"title": "Small", "properties": {"size": {"const": "s"}, "cpu": {"type": "integer", "default": 1}}},
            {"title": "Large", "properties": {"size": {"const": "l"}, "memory": {"type": "integer", "default": 64}}},
        ]
    }
    assert drawn(page)["size"].pairs == [("s", "Small"), ("l", "Large")]
    assert answers([page], {}) == {"size": "s", "cpu": 1}
    assert answers([page], {"size": "l", "cpu": 9}) == {"size": "l", "memory": 64}
    assert messages(page, {"size": "l"}) == {}


def test_a_value_of_several_shapes_is_chosen():
    page = form(
        port={
            "oneOf": [
                {"title": "Number", "type": "integer"},
                {"title": "Name", "type": "string", "pattern": "^[a-z]+$"},
            ]
        },
        maybe={"anyOf": [{"type": "integer"}, {"type": "null"}]},
    )
    assert list(drawn(page)) == ["port:choice", "port", "maybe"]
    assert drawn(page)["port"].widget == "number"
    assert drawn(page)["maybe"].widget == "number"
    assert drawn(page, {"port": "http"})["port"].widget == "text"
    values = post(page, {}, ("port:choice", "1"), port="http").values
    assert answers([page], values) == {"port": "http"}
    assert "port" in messages(page, {**values, "port": "HTTP"})


def test_alternatives_inside_an_object_and_inside_a_list():
    shapes = [
        {"title": "Topic", "properties": {"topic": {"type": "string"}}, "required": ["topic"]},
        {"title": "Queue", "properties": {"queue": {"type": "string"}}, "required": ["queue"]},
    ]
    page = form(
        target={"type": "object", "oneOf": shapes},
        more={"type": "array", "items": {"type": "object", "anyOf": shapes}},
    )
    values = {"target": {":choice": 1, "queue": "q", "topic": "t"}, "more": [{"topic": "t"}, {"queue": "q"}]}
    assert [name for name in drawn(page, values) if name.startswith("target/")] == ["target/:choice", "target/queue"]
    assert answers([page], values) == {"target": {"queue": "q"}, "more": [{"topic": "t"}, {"queue": "q"}]}
    assert messages(page, values) == {}


def test_alternatives_that_overlap_are_no_fault_of_the_person():
    shapes = [{"title": name, "properties": {name: {"type": "string"}}} for name in ("team", "person")]
    page = form(x={"type": "string"}) | {"oneOf": shapes}
    assert messages(page, {"x": "a"}) == {}
    assert messages(page, {":choice": 1, "person": "ada"}) == {}


def test_requirements_alone_in_alternatives_ask_for_nothing_but_are_checked():
    page = form(a={"type": "string"}, b={"type": "string"}) | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert list(drawn(page)) == ["a", "b"]
    assert not drawn(page)["a"].required
    assert messages(page, {"b": "x"}) == {}
    assert messages(page, {}) == {"": "This fits none of the forms that are allowed."}


def test_what_is_not_shown_any_more_decides_nothing():
    page = form(kind={"enum": ["web", "job"], "default": "web"}) | {
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": "web"}}},
                "then": {"properties": {"public": {"type": "boolean", "default": False}}},
            },
            {
                "if": {"properties": {"public": {"const": True}}, "required": ["public"]},
                "then": {"properties": {"domain": {"type": "string"}}, "required": ["domain"]},
            },
        ]
    }
    assert list(drawn(page, {"public": True})) == ["kind", "public", "domain"]
    values = {"kind": "job", "public": True, "domain": "acme.example"}
    assert list(drawn(page, values)) == ["kind"]
    assert answers([page], values) == {"kind": "job"}
    assert messages(page, values) == {}


def test_dependencies_open_one_after_the_other():
    page = form(database={"enum": ["none", "postgresql"], "default": "none"}) | {
        "dependencies": {
            "database": {
                "oneOf": [
                    {"properties": {"database": {"const": "none"}}},
                    {
                        "properties": {
                            "database": {"const": "postgresql"},
                            "backup": {"type": "boolean", "default": True},
                        },
                        "dependencies": {
                            "backup": {
                                "oneOf": [
                                    {"properties": {"backup": {"const": False}}},
                                    {
                                        "properties": {
                                            "backup": {"const": True},
                                            "days": {"type": "integer", "default": 7},
                                        }
                                    },
                                ]
                            }
                        },
                    },
                ]
            }
        }
    }
    assert answers([page], {}) == {"database": "none"}
    assert answers([page], {"database": "postgresql"}) == {"database": "postgresql", "backup": True, "days": 7}
    assert answers([page], {"database": "postgresql", "backup": False, "days": 3}) == {
        "database": "postgresql",
        "backup": False,
    }


def test_names_that_a_person_adds():
    page = form(
        labels={"type": "object", "title": "Labels", "additionalProperties": {"type": "string", "minLength": 2}},
        env={
            "type": "object",
            "properties": {"PORT": {"type": "integer", "default": 80}},
            "additionalProperties": {"type": "integer"},
        },
    )
    values = post(page, {}, operation=f"add:labels/{EXTRA}").values
    name = f"labels/{EXTRA}/0"
    values = post(page, values, (f"{name}/key", "team"), (f"{name}/value", "checkout"), ("env/PORT", "80")).values
    assert answers([page], values) == {"labels": {"team": "checkout"}, "env": {"PORT": 80}}
    assert [line.label for line in summary([page], values)[0]] == ["Labels › team", "env › PORT"]
    short = post(page, values, (f"{name}/key", "team"), (f"{name}/value", "x")).values
    assert list(messages(page, short)) == [f"{name}/value"]
    twice = {
        "env": {EXTRA: [{"key": "A", "value": 1}, {"key": "A", "value": 2}, {"key": "PORT", "value": 1}, {"key": ""}]}
    }
    assert messages(page, twice) == {
        f"env/{EXTRA}/1/key": "A is there already.",
        f"env/{EXTRA}/2/key": "PORT is there already.",
        f"env/{EXTRA}/3/key": "Fill in a name, or remove the entry.",
    }
    # What comes from elsewhere (an address, a run that is repeated) is there to be changed.
    assert drawn(page, {"labels": {"tier": "gold"}})[f"{name}/key"].value == "tier"
    assert answers([page], {"labels": {"tier": "gold"}})["labels"] == {"tier": "gold"}


def test_lists_grow_shrink_and_are_ordered():
    page = form(
        steps={
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {"type": "string", "title": "Step", "default": "x"},
        }
    )
    assert len(drawn(page)["steps"].rows) == 2
    assert drawn(page)["steps/0"].value == "x"
    values = post(page, {"steps": ["a", "b"]}, ("steps/0", "a"), ("steps/1", "b"), operation="up:steps/1").values
    assert values == {"steps": ["b", "a"]}
    values = post(page, values, ("steps/0", "b"), ("steps/1", "a"), operation="add:steps").values
    assert values["steps"] == ["b", "a", None]
    assert drawn(page, values)["steps"].full
    values = post(page, values, ("steps/0", "b"), ("steps/1", "a"), ("steps/2", "c"), operation="remove:steps/0").values
    assert values == {"steps": ["a", "c"]}


def test_keys_of_the_look_may_stand_in_options():
    options = {
        "title": "T",
        "description": "D",
        "help": "H",
        "placeholder": "P",
        "disabled": True,
        "enumDisabled": ["b"],
    }
    item = drawn(form(x={"type": "string", "enum": ["a", "b"], "ui:options": options}))["x"]
    assert (item.label, item.help, item.placeholder, item.fixed) == ("T", "D H", "P", True)
    assert item.closed == ["b"]
    assert post(form(x={"type": "string", "ui:emptyValue": "-"}), {}, x="").values == {"x": "-"}
    assert post(form(x={"type": "string", "ui:readonly": True}), {"x": "kept"}, x="other").values == {"x": "kept"}


def test_defaults_of_a_parent_come_before_those_of_its_fields():
    page = form(
        db={
            "type": "object",
            "default": {"size": "large"},
            "properties": {
                "size": {"type": "string", "default": "small"},
                "name": {"type": "string", "default": "main"},
            },
        }
    ) | {"default": {"top": "page"}}
    page["properties"]["top"] = {"type": "string", "default": "field"}
    assert answers([page], {}) == {"db": {"size": "large", "name": "main"}, "top": "page"}


def test_definitions_are_followed_wherever_they_are_used():
    page = form(list={"type": "array", "items": {"$ref": "#/definitions/pair"}}) | {
        "definitions": {
            "pair": {"type": "object", "required": ["key"], "properties": {"key": {"$ref": "#/definitions/key"}}},
            "key": {"type": "string", "pattern": "^[a-z]+$"},
        },
        "if": {"properties": {"list": {"minItems": 1}}, "required": ["list"]},
        "then": {"properties": {"why": {"$ref": "#/definitions/key"}}},
    }
    assert messages(page, {"list": [{"key": "A"}, {}]}) == {
        "list/0/key": "This does not fit the pattern ^[a-z]+$",
        "list/1/key": "Fill in this field.",
    }
    assert "why" in drawn(page, {"list": [{"key": "a"}]})


def test_the_review_explodes_objects_hides_and_masks():
    review = {"ui:backstage": {"review": {"mask": "***", "name": "Key"}}}
    page = form(
        db={"type": "object", "title": "Database", "properties": {"size": {"type": "string", "title": "Size"}}},
        raw={
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "ui:backstage": {"review": {"explode": False}},
        },
        key={"type": "string", **review},
        gone={"type": "string", "ui:backstage": {"review": {"show": False}}},
        flag={
            "type": "boolean",
            "title": "Public",
            "oneOf": [{"const": True, "title": "Open"}, {"const": False, "title": "Shut"}],
        },
    )
    lines = summary([page], {"db": {"size": "s"}, "raw": {"a": 1}, "key": "k", "gone": "g", "flag": False})[0]
    assert [(line.label, line.text) for line in lines] == [
        ("Database › Size", "s"),
        ("raw", '{\n  "a": 1\n}'),
        ("Key", "***"),
        ("Public", "Shut"),
    ]


@pytest.mark.parametrize(
    ("options", "terms"),
    [
        ({"catalogFilter": {"kind": "API"}}, ((("kind", "API"),),)),
        ({"catalogFilter": {"kind": ["A", "B"]}}, ((("kind", "A"), ("kind", "B")),)),
        (
            {"catalogFilter": [{"kind": "A", "spec.type": "x"}, {"kind": "B"}]},
            ((("kind", "A"), ("spec.type", "x")), (("kind", "B"),)),
        ),
        ({"catalogFilter": {"metadata.annotations.a/b": {"exists": True}}}, ((("metadata.annotations.a/b", None),),)),
        ({"allowedKinds": ["System"]}, ((("kind", "System"),),)),
        ({}, ()),
    ],
)
def test_every_form_of_a_catalog_filter_becomes_terms(options, terms):
    assert filter_terms({"ui:field": "EntityPicker", "ui:options": options}) == terms
    assert filter_terms({"ui:field": "OwnerPicker"}) == ((("kind", "Group"), ("kind", "User")),)


def test_a_repository_may_ask_for_the_persons_own_credential():
    rule = {
        "type": "string",
        "ui:field": "RepoUrlPicker",
        "ui:options": {"requestUserCredentials": {"secretsKey": "TOK"}},
    }
    posted = post(form(r=rule), {}, ("r.host", "github.com"), ("r.owner", "a"), ("r.repo", "b"), ("r.token", "t0p"))
    assert posted.values == {"r": "github.com?owner=a&repo=b"}
    assert posted.secrets == {"TOK": "t0p"}
    assert drawn(form(r=rule))["r"].token_name == "TOK"


def test_a_field_of_a_plugin_is_drawn_as_it_asks_and_an_unknown_one_by_its_type_with_a_warning():
    page = form(cost={"type": "string", "ui:field": "CostCentre"})
    assert drawn(page, custom={"CostCentre": "search"})["cost"].widget == "search"
    assert drawn(page)["cost"].widget == "text"
    assert "CostCentre, which is not installed" in drawn(page)["cost"].note


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "^(a|aa)+$", "^(?=(a+)+$)(a|a?)+$", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?<=(a+)+)b"],
)
def test_no_pattern_of_an_author_makes_the_server_think_for_long(pattern):
    began = time.thread_time()
    check(
        form(**{f"x{number}": {"type": "string", "pattern": pattern} for number in range(20)}),
        {f"x{number}": "a" * 30_000 + "!" for number in range(20)},
    )
    assert time.thread_time() - began < 5


def test_no_schema_of_an_author_makes_the_server_think_for_long():
    levels = {f"l{n}": {"anyOf": [{"$ref": f"#/definitions/l{n + 1}"}] * 2, "properties": {}} for n in range(40)}
    page = form(x={"$ref": "#/definitions/l0"}) | {"definitions": levels | {"l40": {"type": "string"}}}
    check(page, {"x": {"a": 1}})
    many = {"definitions": {f"l{n}": {"allOf": [{"$ref": f"#/definitions/l{n + 1}"}] * 4} for n in range(40)}}
    with pytest.raises(Invalid, match="too many nested alternatives"):
        settle({**many, "allOf": [{"$ref": "#/definitions/l0"}], "properties": {}}, {})
    endless = form(tree={"$ref": "#/definitions/node"}) | {
        "definitions": {"node": {"type": "object", "properties": {"child": {"$ref": "#/definitions/node"}}}}
    }
    assert 5 < len(drawn(endless)) < 30
    check(endless, {"tree": {"child": {"child": {}}}})


def test_a_pattern_that_cannot_be_used_is_known():
    assert "Back-references" in pattern_fault("(a)\\1")
    assert pattern_fault("^(?!x)[a-z]+$") is None


@pytest.mark.parametrize("rule", [{}, {"items": []}, {"type": "array", "items": {"properties": 7}}, True])
def test_a_template_that_uses_our_own_names_breaks_nothing(rule):
    page = form(**{EXTRA: rule, ":choice": rule}) | {"additionalProperties": True}
    values = {EXTRA: [{"key": "a", "value": 1}], ":choice": 7}
    assert EXTRA not in answers([page], values)
    check(page, values)
    summary([page], values)
    drawn(page, values)
