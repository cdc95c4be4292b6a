"""Answers and conditions as the texts of a form."""

from __future__ import annotations

import pytest

from flagstone.portal.golden_paths import unregistered
from flagstone.portal.schedules.model import answer_fields, condition_rows, read_answers, read_conditions

PATH = unregistered(
    {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "odd"},
        "spec": {
            "parameters": [
                {
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "title": "Name"},
                        "size": {"type": "integer", "default": 3},
                        "public": {"type": "boolean"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "token": {"type": "string", "ui:field": "Secret"},
                    },
                    "dependencies": {
                        "public": {
                            "oneOf": [
                                {"properties": {"public": {"const": False}}},
                                {"properties": {"public": {"const": True}, "host": {"type": "string"}}},
                            ]
                        }
                    },
                }
            ],
            "steps": [],
        },
    },
    "inline:template.yaml",
)


def test_answers_are_asked_for_as_texts_without_secrets_and_with_what_depends_on_others():
    fields = {item.name: item for item in answer_fields(PATH, {"tags": ["a", "b"], "public": True})}
    assert list(fields) == ["name", "size", "public", "tags", "host"]
    assert (fields["size"].text, fields["tags"].text, fields["public"].text) == ("3", '["a", "b"]', "true")
    assert fields["name"].required
    assert "host" not in [item.name for item in answer_fields(PATH, {})]


def test_texts_become_values_of_their_type_and_expressions_stay():
    texts = {"name": " ${{ event.subject }} ", "size": "7", "tags": '["x"]', "public": "${{ event.data.open }}"}
    values, problems = read_answers(PATH, texts)
    assert values == {"name": "${{ event.subject }}", "size": 7, "tags": ["x"], "public": "${{ event.data.open }}"}
    assert problems == []
    values, problems = read_answers(PATH, {"name": "12", "size": "many", "token": "s3cret", "tags": "x, y"})
    assert values == {"name": "12"}
    assert [(item.field, item.message) for item in problems] == [
        ("size", "write a whole number"),
        ("tags", "this is no JSON"),
    ]


@pytest.mark.parametrize("value", ["main", "feature/*", "12", 12, True, "true", ["main", "release/*"], "[not json"])
def test_a_condition_comes_back_from_the_form_as_it_was(value):
    rows = condition_rows({"data.branch": value})
    assert rows[1:] == (("", ""), ("", ""))
    assert read_conditions(*zip(*rows, strict=True)) == {"data.branch": value}
