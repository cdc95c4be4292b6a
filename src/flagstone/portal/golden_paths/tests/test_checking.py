"""The template checker: one case for everything that it finds, and templates in which it finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagstone.contracts.actions import ActionSpec
from flagstone.kernel.errors import Invalid
from flagstone.portal.golden_paths.model import unregistered, workflow
from flagstone.portal.golden_paths.model.checking import check_template
from flagstone.portal.golden_paths.service import check_text
from flagstone.toolkit.yaml import load_documents

ACME = Path(__file__).parents[5] / "examples" / "acme" / "templates"
LOG = ActionSpec(
    id="debug:log",
    title="Log",
    permission="",
    idempotency="natural",
    input_schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["message"],
        "properties": {"message": {"type": "string"}, "times": {"type": "integer", "minimum": 1}},
    },
    output_schema={"type": "object", "properties": {"line": {"type": "string"}}},
)
ACTIONS = {"debug:log": LOG}


def template(**spec):
    given = {
        "type": "service",
        "owner": "group:default/a",
        "parameters": {"properties": {"name": {"type": "string"}, "token": {"type": "string", "ui:field": "Secret"}}},
        "steps": [{"id": "say", "action": "debug:log", "input": {"message": "${{ parameters.name }}"}}],
    }
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "t"},
        "spec": {**given, **spec},
    }


def step(**values):
    return template(steps=[{"id": "say", "action": "debug:log", "input": {"message": "x"}, **values}])


def message(text):
    return step(input={"message": text})


def page(**rules):
    return template(parameters=[{"properties": rules}])


def found(document, actions=ACTIONS):
    return [(item.severity, item.code, item.place) for item in check_template(document, actions, {"CostCentre"})]


def test_a_template_that_is_as_it_should_be_has_no_findings():
    assert found(template()) == []
    assert found(page(name={"type": "string", "ui:field": "CostCentre"})) == []


@pytest.mark.parametrize("name", ["python-web-service", "static-docs-site", "scheduled-job"])
def test_the_examples_have_no_findings(name):
    (document,) = load_documents((ACME / name / "template.yaml").read_bytes(), name="t")
    assert check_template(document.value) == []


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        ({**template(), "kind": "Component"}, ("error", "no_template", "kind")),
        ({**template(), "apiVersion": "backstage.io/v1beta2"}, ("error", "bad_api_version", "apiVersion")),
        ({**template(), "metadata": {}}, ("error", "no_name", "metadata.name")),
        ({**template(), "spec": None}, ("error", "no_spec", "spec")),
        (template(type=""), ("error", "no_type", "spec.type")),
        (template(owner=None), ("warning", "no_owner", "spec")),
        (template(step=[]), ("warning", "unknown_key", "spec.step")),
        (template(steps=None), ("error", "no_steps", "spec.steps")),
        (template(formDecorators=[{"id": "x"}]), ("error", "form_decorators", "spec.formDecorators")),
        (
            template(EXPERIMENTAL_recovery={"EXPERIMENTAL_strategy": "startOver"}),
            ("warning", "recovery", "spec.EXPERIMENTAL_recovery"),
        ),
        (
            template(presentation={"buttonLabels": {"createButton": "x"}}),
            ("warning", "unknown_label", "spec.presentation.buttonLabels.createButton"),
        ),
        (template(secrets={}), ("error", "bad_secrets", "spec.secrets")),
        (template(secrets={"schema": {"type": "nonsense"}}), ("error", "bad_secrets", "spec.secrets.schema")),
        (
            template(secrets={"schema": {"required": ["key"]}}),
            ("warning", "secret_unasked", "spec.secrets.schema.required"),
        ),
        (step(timeout="soon"), ("error", "bad_timeout", "spec.steps[0].timeout")),
        (step(timeout={"weeks": 1}), ("error", "bad_timeout", "spec.steps[0].timeout")),
        (step(timeout="2d"), ("error", "bad_timeout", "spec.steps[0].timeout")),
        (step(timeout=0), ("error", "bad_timeout", "spec.steps[0].timeout")),
        (step(timeout="${{ parameters.time }}"), ("error", "bad_timeout", "spec.steps[0].timeout")),
        (template(parameters=["x"]), ("error", "bad_page", "spec.parameters[0]")),
        (template(parameters={"properties": 7}), ("error", "bad_schema", "spec.parameters.properties")),
        (template(parameters={"required": ["nam"]}), ("error", "required_unknown", "spec.parameters.required")),
        (
            template(parameters=[{"properties": {"name": {}}}, {"properties": {"name": {}}}]),
            ("warning", "asked_twice", "spec.parameters[1]"),
        ),
        (
            page(name={"$ref": "https://elsewhere.example/schema"}),
            ("error", "bad_reference", "spec.parameters[0].properties.name.$ref"),
        ),
        (page(name={"pattern": "(a)\\1"}), ("error", "bad_pattern", "spec.parameters[0].properties.name.pattern")),
        (
            page(name={"patternProperties": {"a": {}}}),
            ("error", "pattern_properties", "spec.parameters[0].properties.name.patternProperties"),
        ),
        (page(name={"format": "emial"}), ("warning", "unknown_format", "spec.parameters[0].properties.name.format")),
        (page(name={"ui:field": "Nope"}), ("warning", "unknown_field", "spec.parameters[0].properties.name.ui:field")),
        (page(name={"ui:widget": "slider"}), ("warning", "unknown_widget", "spec.parameters[0].properties.name")),
        (
            page(name={"ui:field": "Secret", "default": "x"}),
            ("error", "secret_default", "spec.parameters[0].properties.name.default"),
        ),
        (page(name={"ui:widget": "password"}), ("warning", "password", "spec.parameters[0].properties.name")),
        (page(name={"enum": [1], "enumNames": []}), None),
        (
            page(name={"enum": [1, 2], "enumNames": ["one"]}),
            ("warning", "enum_names", "spec.parameters[0].properties.name"),
        ),
        (
            page(name={"default": "${{ user.ref }}"}),
            ("error", "templated_default", "spec.parameters[0].properties.name.default"),
        ),
        (
            page(name={"type": "integer", "default": "x"}),
            ("warning", "bad_default", "spec.parameters[0].properties.name.default"),
        ),
        (template(steps=["x"]), ("error", "bad_step", "spec.steps[0]")),
        (step(inputs={}), ("warning", "unknown_key", "spec.steps[0].inputs")),
        (
            step(**{"backstage:permissions": {"tags": ["a"]}}),
            ("warning", "permissions", "spec.steps[0].backstage:permissions"),
        ),
        (step(**{"if": "false"}), ("warning", "if_text", "spec.steps[0].if")),
        (step(each=7), ("error", "bad_each", "spec.steps[0].each")),
        (step(input=[]), ("error", "bad_input", "spec.steps[0].input")),
        (step(action="fetch:plain", input={"url": "../x"}), ("error", "outside", "spec.steps[0].input.url")),
        (step(action=None), ("error", "no_action", "spec.steps[0]")),
        (step(action="debug:lgo"), ("error", "unknown_action", "spec.steps[0].action")),
        (step(input={}), ("error", "input_missing", "spec.steps[0].input")),
        (step(input={"message": "x", "mesage": 1}), ("error", "input_unknown", "spec.steps[0].input.mesage")),
        (step(input={"message": 7}), ("error", "input_wrong", "spec.steps[0].input.message")),
        (message("${{ parameters.name"), ("error", "bad_expression", "spec.steps[0].input.message")),
        (message("${{ parameters.name && 1 }}"), ("error", "bad_expression", "spec.steps[0].input.message")),
        (message("${{ parameters.name | nofilter }}"), ("warning", "unknown_name", "spec.steps[0].input.message")),
        (message("${{ nofunction() }}"), ("warning", "unknown_name", "spec.steps[0].input.message")),
        (message("${{ github.actor }}"), ("warning", "unknown_variable", "spec.steps[0].input.message")),
        (message("${{ each.value }}"), ("warning", "no_each", "spec.steps[0].input.message")),
        (message("${{ environment.parameters.x }}"), ("warning", "environment", "spec.steps[0].input.message")),
        (message("${{ parameters.nmae }}"), ("warning", "unknown_parameter", "spec.steps[0].input.message")),
        (message("${{ secrets.tokne }}"), ("warning", "unknown_secret", "spec.steps[0].input.message")),
        (step(**{"if": "${{ secrets.token }}"}), ("warning", "secret_outside", "spec.steps[0].if")),
        (message("${{ steps.later.output.x }}"), ("warning", "unknown_step", "spec.steps[0].input.message")),
        (template(output=[]), ("error", "bad_output", "spec.output")),
        (template(output={"links": {}}), ("error", "bad_output", "spec.output.links")),
        (template(output={"links": [{"title": "x"}]}), ("warning", "empty_link", "spec.output.links[0]")),
        (
            template(output={"links": [{"url": "${{ steps.say.output.lien }}"}]}),
            ("warning", "unknown_output", "spec.output.links[0].url"),
        ),
        (template(output={"text": [{"contents": "x"}]}), ("warning", "unknown_key", "spec.output.text[0].contents")),
        (
            template(output={"text": [{"content": "${{ steps.say.outputs.x }}"}]}),
            ("warning", "no_output", "spec.output.text[0].content"),
        ),
    ],
)
def test_everything_that_is_wrong_is_found_at_its_place(document, finding):
    if finding is not None:
        assert finding in found(document)


def test_what_only_some_answers_bring_is_known():
    form = {
        "properties": {"kind": {"enum": ["a", "b"]}},
        "required": ["kind", "deep"],
        "dependencies": {"kind": {"oneOf": [{"properties": {"kind": {"const": "a"}, "deep": {}}}]}},
        "definitions": {"more": {"properties": {"name": {"type": "string"}}}},
        "allOf": [{"if": {}, "then": {"$ref": "#/definitions/more"}}],
    }
    assert found(template(parameters=form)) == []
    free = {"properties": {}, "additionalProperties": {"type": "string"}}
    assert found(template(parameters=free)) == []


def test_expressions_that_need_no_warning():
    text = (
        "${{ parameters.name | upper }} ${{ user.entity.metadata.name }} ${{ context.task.id }} ${{ secrets.token }}"
        "{% for x in parameters.name.split('/') %}${{ x }}${{ loop.index }}{% endfor %}{% set y = 1 %}${{ y }}"
    )
    assert found(message(text)) == []
    assert found(step(each=["a"], input={"message": "${{ each.value }} ${{ each.key }}"})) == []
    assert found(step(**{"if": "${{ always() and not failure() }}"})) == []
    asked = {
        "type": "string",
        "ui:field": "RepoUrlPicker",
        "ui:options": {"requestUserCredentials": {"secretsKey": "TOK"}},
    }
    steps = [{"action": "debug:log", "input": {"message": "${{ secrets.TOK }}"}}]
    assert found(template(parameters={"properties": {"r": asked}}, steps=steps)) == []
    given = {"schema": {"type": "object", "properties": {"machine": {"type": "string"}}}}
    steps = [{"action": "debug:log", "input": {"message": "${{ secrets.machine }}"}}]
    assert found(template(secrets=given, steps=steps)) == []


def test_nothing_is_refused_for_its_action_where_the_actions_are_not_known():
    assert found(step(action="acme:do", input={"x": 1}), None) == []


def test_findings_of_a_file_have_lines_and_hints():
    text = """\
# A comment.
apiVersion: v1
kind: Other
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: t}
spec:
  type: service
  owner: group:default/a
  parameters:
    required:
      - nmae
    properties:
      name:
        type: string
  steps:
    - id: say
      action: debug:log
      input:
        message: hello
        times: 0
"""
    items = check_text(text, "templates/t.yaml", ACTIONS)
    assert [(item.line, item.place) for item in items] == [
        (12, "spec.parameters.required"),
        (22, "spec.steps[0].input.times"),
    ]
    assert items[0].hint == "Did you mean name?"
    assert str(items[1].problem).startswith("templates/t.yaml:22 spec.steps[0].input.times: debug:log does not take")
    assert check_text("a: [", "t.yaml", None)[0].code == "yaml"
    with pytest.raises(Invalid, match="no template in"):
        check_text("kind: Other", "t.yaml", None)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90), ("90", 90), ("10m", 600), ("1h 30m", 5400), ("1h30m5s", 5405), ({"minutes": 1, "seconds": 2}, 62)],
)
def test_a_step_says_how_long_it_may_take(written, seconds):
    document = step(timeout=written)
    assert found(document) == []
    path = unregistered(document, "inline:template.yaml")
    assert workflow(path, {}).steps[0].timeout_seconds == seconds


@pytest.mark.parametrize("written", ["soon", True, -1, "", {}, {"minutes": "1"}, ["1m"], "1m 1h", 86_401, float("nan")])
def test_a_template_with_a_timeout_that_is_none_cannot_be_run(written):
    path = unregistered(step(timeout=written), "inline:template.yaml")
    with pytest.raises(Invalid) as refused:
        workflow(path, {})
    assert refused.value.problems[0].field == "spec.steps[0].timeout"
