"""Vectors of the form engine: the pages of Acme's golden paths, conditions, lists, nesting, hostile input."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.web.forms import (
    answers,
    check,
    fields,
    filter_terms,
    flat,
    parse,
    parse_body,
    parse_repo_url,
    settle,
    summary,
)

TEMPLATES = Path(__file__).parents[6] / "examples" / "acme" / "templates"


def pages_of(name):
    document = yaml.safe_load((TEMPLATES / name / "template.yaml").read_text())
    return document["spec"]["parameters"]


def body(*pairs, **named):
    return parse_body(urlencode([*pairs, *named.items()]).encode())


def shown(page, values=None):
    return [("_shown", item.name) for item in flat(fields(page, values or {})) if not item.fixed] + [
        ("_shown", row.name) for item in flat(fields(page, values or {})) for row in item.rows
    ]


def post(page, values=None, *pairs, operation="", **named):
    return parse(page, body(*shown(page, values), *pairs, *named.items()), values or {}, operation)


def messages(page, values):
    return {fault.name: fault.message for fault in check(page, values)}


def test_the_python_service_asks_for_what_is_missing_and_takes_a_whole_form():
    first, second = pages_of("python-web-service")
    assert set(messages(first, {})) == {"name", "description", "owner"}
    posted = post(first, {}, name="gift-wrapping", description="Wraps gifts", owner="payments", system="")
    assert posted.values == {
        "name": "gift-wrapping",
        "description": "Wraps gifts",
        "owner": "group:default/payments",
        "system": None,
    }
    assert messages(first, posted.values) == {}
    third = post(
        second,
        posted.values,
        ("repoUrl.host", "flagstone"),
        ("repoUrl.owner", "acme"),
        ("repoUrl.repo", "gift-wrapping"),
        tier="tier-2",
        greeting="Hi",
    )
    assert messages(second, third.values) == {}
    assert answers([first, second], third.values) == {
        "name": "gift-wrapping",
        "description": "Wraps gifts",
        "owner": "group:default/payments",
        "repoUrl": "flagstone?owner=acme&repo=gift-wrapping",
        "tier": "tier-2",
        "greeting": "Hi",
    }


def test_the_python_service_draws_the_controls_that_its_author_asked_for():
    first, second = pages_of("python-web-service")
    widgets = {item.name: item.widget for item in fields(first, {})}
    assert widgets == {"name": "text", "description": "text", "owner": "entity", "system": "entity"}
    assert {item.name: item.widget for item in fields(second, {})} == {
        "repoUrl": "repo",
        "tier": "cards",
        "greeting": "text",
    }
    name, _, owner, system = fields(first, {})
    assert name.attrs["autofocus"]
    assert name.placeholder == "gift-wrapping"
    assert "Unique in the catalog" in name.help
    assert filter_terms(owner.rule) == ((("kind", "Group"),),)
    assert system.filters == {"field": "system"}
    assert fields(second, {})[1].value == "tier-3"
    assert fields(second, {})[1].options[0].text.startswith("Customers notice")


def test_a_wrong_name_is_explained_with_the_words_of_the_template():
    first, _ = pages_of("python-web-service")
    found = messages(first, {"name": "Gift Wrapping", "description": "x", "owner": "group:default/a"})
    assert found["name"] == "This does not fit. Lower-case letters, digits and single hyphens."
    assert found["description"] == "At least 5 characters; there are 1."


def test_the_scheduled_job_keeps_its_switch_off_when_it_was_switched_off():
    _, second = pages_of("scheduled-job")
    assert answers([second], {})["deployNow"] is True
    off = post(
        second,
        {},
        ("deployNow", "false"),
        **{"repoUrl.owner": "acme", "repoUrl.repo": "x"},
        **{"repoUrl.host": "flagstone"},
    )
    assert off.values["deployNow"] is False
    assert answers([second], off.values)["deployNow"] is False
    on = post(second, off.values, ("deployNow", "false"), ("deployNow", "true"))
    assert on.values["deployNow"] is True


def test_the_documentation_site_takes_checkboxes_in_the_order_of_the_template():
    _, second = pages_of("static-docs-site")
    assert fields(second, {})[1].widget == "checkboxes"
    assert fields(second, {})[1].value == ["guides", "reference"]
    posted = post(second, {}, ("pages", "decisions"), ("pages", "guides"))
    assert posted.values["pages"] == ["guides", "decisions"]
    none = post(second, posted.values)
    assert none.values["pages"] == []
    assert post(second, {}, ("pages", "<script>")).values["pages"] == ["<script>"]
    assert messages(second, {"pages": ["<script>"], "repoUrl": "flagstone?owner=a&repo=b"})


DATABASE = {
    "title": "Infrastructure",
    "properties": {
        "database": {"type": "string", "enum": ["none", "postgres"], "default": "none", "ui:widget": "radio"},
    },
    "dependencies": {
        "database": {
            "oneOf": [
                {"properties": {"database": {"enum": ["none"]}}},
                {
                    "properties": {
                        "database": {"enum": ["postgres"]},
                        "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
                        "backup": {"type": "boolean", "title": "Nightly backups", "default": True},
                    },
                    "required": ["size"],
                },
            ]
        }
    },
}


def test_a_dependency_shows_its_fields_only_for_the_answer_that_asks_for_them():
    assert [item.name for item in fields(DATABASE, {})] == ["database"]
    assert len(fields(DATABASE, {})[0].options) == 2
    assert [item.name for item in fields(DATABASE, {"database": "postgres"})] == ["database", "size", "backup"]
    assert len(fields(DATABASE, {"database": "postgres"})[0].options) == 2
    assert answers([DATABASE], {"database": "postgres"}) == {"database": "postgres", "size": "small", "backup": True}


def test_a_field_that_appears_with_this_post_keeps_its_default():
    # Pitfall: a new checkbox is absent from the post and must not read as "off".
    posted = post(DATABASE, {}, database="postgres")
    assert answers([DATABASE], posted.values)["backup"] is True


def test_an_answer_that_does_not_apply_any_more_leaves_the_form_but_comes_back_with_it():
    values = {"database": "none", "size": "large", "backup": False}
    assert answers([DATABASE], values) == {"database": "none"}
    assert answers([DATABASE], {**values, "database": "postgres"})["size"] == "large"


def test_if_then_else_and_all_of():
    page = {
        "properties": {"kind": {"enum": ["web", "job"], "default": "web"}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": "web"}}},
                "then": {"properties": {"port": {"type": "integer", "default": 8080}}, "required": ["port"]},
                "else": {"properties": {"cron": {"type": "string"}}, "required": ["cron"]},
            },
            {"properties": {"team": {"type": "string", "minLength": 2}}},
        ],
    }
    assert [item.name for item in fields(page, {})] == ["kind", "port", "team"]
    assert answers([page], {}) == {"kind": "web", "port": 8080}
    assert messages(page, {"kind": "job", "team": "x"}) == {
        "cron": "Fill in this field.",
        "team": "At least 2 characters; there are 1.",
    }


def test_dependencies_as_lists_and_one_of_on_the_page_and_references():
    page = {
        "definitions": {"port": {"type": "integer", "minimum": 1024}},
        "properties": {
            "tls": {"type": "boolean"},
            "certificate": {"type": "string"},
            "port": {"$ref": "#/definitions/port"},
        },
        "dependencies": {"tls": ["certificate"]},
        "oneOf": [
            {"properties": {"mode": {"const": "a"}, "left": {"type": "string"}}},
            {"properties": {"mode": {"const": "b"}, "right": {"type": "string"}}},
        ],
    }
    assert messages(page, {"tls": True, "port": 80}) == {"certificate": "Fill in this field.", "port": "At least 1024."}
    assert [item.name for item in fields(page, {"mode": "b"})][-1] == "right"
    assert [item.name for item in fields(page, {"mode": "a"})][-1] == "left"


NESTED = {
    "properties": {
        "contact": {
            "type": "object",
            "required": ["mail"],
            "properties": {
                "mail": {"type": "string", "format": "email"},
                "phone": {"type": "object", "properties": {"number": {"type": "string"}}},
            },
        },
        "ports": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "port"],
                "properties": {
                    "name": {"type": "string"},
                    "port": {"type": "integer"},
                    "public": {"type": "boolean", "default": True},
                },
            },
        },
        "labels": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "array", "items": {"type": "integer"}},
    }
}


def test_nested_objects_and_rows_are_read_back_with_their_types():
    values = {"ports": [None, None]}
    posted = post(
        NESTED,
        values,
        ("contact/mail", "a@b.example"),
        ("contact/phone/number", "123"),
        ("ports/0/name", "http"),
        ("ports/0/port", "8080"),
        ("ports/0/public", "false"),
        ("ports/1/name", "admin"),
        ("ports/1/port", "80x"),
        ("ports/1/public", "true"),
        ("labels", "a, b,,a"),
    )
    assert posted.values == {
        "contact": {"mail": "a@b.example", "phone": {"number": "123"}},
        "ports": [{"name": "http", "port": 8080, "public": False}, {"name": "admin", "port": "80x", "public": True}],
        "labels": ["a", "b"],
        "numbers": [],
    }
    assert messages(NESTED, posted.values) == {"ports/1/port": "Fill in a whole number."}


def test_rows_are_added_moved_and_removed():
    page = {"properties": {"ports": NESTED["properties"]["ports"]}}
    names = lambda posted: [row and row["name"] for row in posted.values["ports"]]  # noqa: E731
    filled = {"ports": [{"name": "a", "port": 1, "public": True}, {"name": "b", "port": 2, "public": True}]}
    pairs = [("ports/0/name", "a"), ("ports/0/port", "1"), ("ports/1/name", "b"), ("ports/1/port", "2")]
    assert names(post(page, filled, *pairs, operation="add:ports")) == ["a", "b", None]
    assert names(post(page, filled, *pairs, operation="up:ports/1")) == ["b", "a"]
    assert names(post(page, filled, *pairs, operation="down:ports/0")) == ["b", "a"]
    assert names(post(page, filled, *pairs, operation="remove:ports/0")) == ["b"]
    for nonsense in (
        "remove:ports/9",
        "up:ports/x",
        "remove:nothing/0",
        "explode:ports",
        "add:",
        "up:",
        ":",
        "add:a/b/c",
    ):
        post(page, filled, *pairs, operation=nonsense)


def test_the_least_number_of_rows_is_drawn_and_a_missing_one_is_said():
    rows = next(item for item in fields(NESTED, {}) if item.name == "ports").rows
    assert [row.name for row in rows] == ["ports/0"]
    found = messages(NESTED, {"contact": {"mail": "x"}, "ports": [{"name": "a"}]})
    assert found["contact/mail"].startswith("Fill in an e-mail address")
    assert found["ports/0/port"] == "Fill in this field."


def test_an_emptied_field_does_not_get_its_default_back():
    page = {"properties": {"greeting": {"type": "string", "default": "Hello"}}}
    assert fields(page, {})[0].value == "Hello"
    emptied = post(page, {}, greeting="")
    assert fields(page, emptied.values)[0].value == ""
    assert answers([page], emptied.values) == {}


def test_secrets_never_enter_the_values():
    page = {"properties": {"token": {"type": "string", "ui:field": "Secret", "minLength": 12}}, "required": ["token"]}
    posted = post(page, {}, token="hunter2-hunter2")
    assert posted.secrets == {"token": "hunter2-hunter2"}
    assert posted.values == {"token": "*" * 12}
    assert fields(page, posted.values)[0].value is None
    assert "hunter2" not in json.dumps([str(line) for part in summary([page], posted.values) for line in part])
    again = post(page, posted.values, token="")
    assert again.values == posted.values
    assert again.secrets == {}
    assert parse(page, body(("_shown", "token"), token="typing"), {}, keep_secrets=False).values == {"token": None}


def test_fields_that_are_fixed_cannot_be_posted():
    page = {
        "properties": {
            "a": {"type": "string", "default": "x", "ui:readonly": True},
            "b": {"type": "string", "default": "y", "ui:disabled": True},
        }
    }
    posted = parse(page, body(("_shown", "a"), ("_shown", "b"), a="evil", b="evil"), {})
    assert answers([page], posted.values) == {"a": "x", "b": "y"}


def test_what_the_page_does_not_ask_for_is_not_read():
    first, _ = pages_of("python-web-service")
    posted = parse(first, body(("_shown", "evil"), ("_shown", "__class__"), evil="1", __class__="2", name="x"), {})
    assert "evil" not in posted.values
    assert "__class__" not in posted.values
    assert "name" not in posted.values  # it was not on the page that was posted


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "integer"},
        {"type": "number"},
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        {"type": "object", "properties": {"a": {"type": "boolean"}}},
        {"type": "string", "enum": ["a"]},
        {"enum": [1, 2.5, None, True, {"x": 1}]},
        {"type": ["string", "null"]},
        {"type": "object"},
        {"type": "array"},
        {"type": "nonsense"},
        {},
        True,
        {"$ref": "#/definitions/itself"},
        {"ui:field": "EntityPicker"},
        {"ui:field": "RepoUrlPicker"},
        {"ui:field": "NobodyKnows", "type": "object"},
        {"ui:widget": "range", "type": "integer"},
        {"oneOf": [{"const": 1, "title": "One"}]},
    ],
)
@pytest.mark.parametrize(
    "text", ["", "x", "<b>", "1e999", "9" * 5000, "null", "[1", '{"a":1}', "ＮａＮ", "\0", "true", "a:b:c//"]
)
def test_any_text_in_any_field_is_read_checked_and_drawn(rule, text):
    page = {"properties": {"f": rule}, "definitions": {"itself": {"$ref": "#/definitions/itself"}}}
    posted = post(page, {}, f=text)
    check(page, posted.values)
    fields(page, posted.values)
    summary([page], posted.values)
    json.dumps(answers([page], posted.values))


def test_values_of_the_wrong_type_from_an_address_are_drawn_and_said():
    values = {"contact": "nonsense", "ports": {"a": 1}, "labels": 5, "numbers": ["x"]}
    fields(NESTED, values)
    assert set(messages(NESTED, values)) >= {"contact", "ports", "labels"}


def test_choices_keep_their_type():
    page = {"properties": {"n": {"enum": [1, 2, 3]}, "b": {"type": "boolean", "ui:widget": "radio"}}}
    posted = post(page, {}, n="2", b="false")
    assert answers([page], posted.values) == {"n": 2, "b": False}


def test_a_field_that_is_not_installed_is_a_text_with_a_note():
    found = fields({"properties": {"x": {"type": "string", "ui:field": "CostPicker"}}}, {})[0]
    assert found.widget == "text"
    assert "CostPicker" in found.note


def test_order_help_title_and_other_keys():
    page = {
        "ui:order": ["c", "*", "a"],
        "properties": {
            "a": {"type": "string", "ui:help": "Help", "ui:title": "A!", "description": "Text."},
            "b": {"type": "string", "ui:widget": "textarea", "ui:options": {"rows": 9}},
            "c": {"type": "integer", "ui:widget": "updown", "minimum": 2, "maximum": 9},
            "d": {"type": "string", "ui:widget": "hidden", "default": "h"},
        },
    }
    found = {item.name: item for item in fields(page, {})}
    assert list(found) == ["c", "b", "d", "a"]
    assert found["a"].label == "A!"
    assert found["a"].help == "Text. Help"
    assert found["c"].widget == "number"
    assert found["c"].attrs["min"] == 2
    assert found["c"].attrs["step"] == 1
    assert found["b"].settings["rows"] == 9
    assert found["d"].widget == "hidden"


def test_the_review_masks_hides_renames_and_names_choices():
    page = {
        "properties": {
            "plain": {"type": "string", "title": "Plain"},
            "secret": {"type": "string", "ui:widget": "password"},
            "masked": {"type": "string", "ui:backstage": {"review": {"mask": "***"}}},
            "hidden": {"type": "string", "ui:backstage": {"review": {"show": False}}},
            "named": {
                "type": "string",
                "enum": ["a"],
                "enumNames": ["Letter A"],
                "ui:backstage": {"review": {"name": "Which"}},
            },
            "yes": {"type": "boolean"},
            "repo": {"type": "string", "ui:field": "RepoUrlPicker"},
        }
    }
    values = dict.fromkeys(("plain", "secret", "masked", "hidden"), "v") | {
        "named": "a",
        "yes": True,
        "repo": "flagstone?owner=o&repo=r",
    }
    lines = {line.label: line.text for line in summary([page], values)[0]}
    assert lines == {
        "Plain": "v",
        "secret": "••••••••",
        "masked": "***",
        "Which": "Letter A",
        "yes": "Yes",
        "repo": "o/r on flagstone",
    }


def test_a_body_of_more_than_a_megabyte_or_of_a_thousand_thousand_fields_is_refused():
    with pytest.raises(Invalid, match="MB"):
        parse_body(b"a=" + b"x" * 1_000_001)
    with pytest.raises(Invalid):
        parse_body(b"&".join(b"a=1" for _ in range(6000)))
    with pytest.raises(Invalid):
        parse_body(b"\xff\xfe")


def test_a_pattern_that_would_hang_a_backtracking_engine_answers_at_once():
    page = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    assert messages(page, {"a": "a" * 5000 + "!"})["a"].startswith("This does not fit")


def test_a_schema_that_points_outside_is_not_fetched():
    page = {"properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}, "required": ["a"]}
    check(page, {"a": "x"})
    fields(page, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("flagstone?owner=acme&repo=x", False),
        ("flagstone?owner=acme&repo=", True),
        ("?owner=a&repo=b", True),
        ("flagstone?owner=..&repo=x", True),
        ("flagstone?owner=a&repo=../../x", True),
        ("gitlab.com?owner=a/b&repo=x", False),
        ("fl agstone?owner=a&repo=x", True),
    ],
)
def test_repository_addresses(text, fault):
    assert (parse_repo_url(text).fault() is not None) is fault


def test_repository_addresses_keep_what_other_hosts_add():
    assert str(parse_repo_url("dev.azure.com?owner=a&project=p&repo=r")) == "dev.azure.com?owner=a&repo=r&project=p"


def test_a_page_settles_even_when_its_conditions_chase_each_other():
    page = {
        "properties": {"a": {"type": "boolean"}},
        "if": {"properties": {"a": {"const": True}}, "required": ["a"]},
        "then": {"properties": {"a": {"default": False}}},
        "else": {"properties": {"a": {"default": True}}},
    }
    settle(page, {})
