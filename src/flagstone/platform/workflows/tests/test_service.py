"""Checking, planning and submitting, with the example golden paths."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flagstone.kernel.errors import Conflict, Denied, Invalid
from flagstone.platform.runs.tests.harness import ANN, BOB, EVE, Speak, lines

INPUTS = {
    "name": "gift-wrapping",
    "description": "Wraps gifts.",
    "owner": "group:default/checkout",
    "repoUrl": "flagstone?owner=acme&repo=gift-wrapping",
    "greeting": "Hello",
}


def problems(refused):
    return {problem.field: problem.message for problem in refused.value.problems}


def tree(world):
    """All files that a plan must not change."""
    return {
        path: path.read_bytes()
        for path in world.folder.rglob("*")
        if path.is_file() and "engine.db" not in path.name and "platform.db" not in path.name
    }


def test_every_fault_of_a_request_is_told_at_once(world):
    request = world.request(
        [
            {"id": "a", "action": "fetch:templat"},
            {"id": "a", "if": "${{ parameters.x == }}"},
            {"id": "bad[id]", "each": "${{ unclosed"},
            {"id": "fine", "input": {"text": "${{ also unclosed"}},
        ],
        {"name": "X Y", "size": "big"},
        parameters=[
            {"required": ["name"], "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}},
            {"required": ["owner"], "properties": {"owner": {"type": "string"}, "size": {"type": "integer"}}},
        ],
    )
    with pytest.raises(Invalid) as refused:
        world.workflows.submit(request, ANN)
    found = problems(refused)
    assert set(found) == {
        "steps.a.action",
        "workflow.steps",
        "steps.a.if",
        "workflow.steps[2].id",
        "steps.bad[id].each",
        "inputs.name",
        "inputs.owner",
        "inputs.size",
    }
    assert [problem.hint for problem in refused.value.problems if problem.field == "steps.a.action"] == [
        "Did you mean fetch:template?"
    ]


def test_a_schema_that_is_wrong_is_told(world):
    request = world.request([], parameters={"properties": {"a": {"type": "nope"}}})
    with pytest.raises(Invalid) as refused:
        world.workflows.plan(request, ANN)
    assert list(problems(refused)) == ["parameters[0].properties.a.type"]


def test_defaults_are_filled_in_and_what_was_given_stays(world):
    parameters = {"properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string", "default": "y"}}}
    text = "${{ parameters.a }}${{ parameters.b }}${{ parameters.extra }}"
    request = world.request([{"input": {"text": text}}], {"b": "z", "extra": 1}, parameters=parameters)
    run = world.wait(world.workflows.submit(request, ANN).id)
    assert run.inputs == {"a": "x", "b": "z", "extra": 1}
    assert run.steps[0].inputs["text"] == "xz1"


def test_the_plan_of_a_golden_path_shows_everything_and_changes_nothing(world):
    before = tree(world)
    request = world.golden_path("python-web-service", INPUTS, without=("deploy",))
    plan = world.workflows.plan(request, ANN)
    assert tree(world) == before
    assert plan.problems == ()
    assert (plan.complete, plan.allowed) == (True, True)
    assert [step.id for step in plan.steps] == ["fetch", "publish", "register"]
    files = {file.path: file for file in plan.files}
    assert {"app.py", "catalog-info.yaml", "score.yaml", ".gitignore", "docs/index.md"} <= set(files)
    assert "gift-wrapping" in files["catalog-info.yaml"].text
    assert {file.step for file in plan.files} == {"fetch"}
    subjects = [(change.kind, change.op, change.subject) for step in plan.steps for change in step.changes]
    assert ("repository", "create", "acme/gift-wrapping") in subjects
    assert ("entity", "create", "component:default/gift-wrapping") in subjects
    assert ("entity", "create", "api:default/gift-wrapping-api") in subjects
    again = world.workflows.plan(request, ANN)
    assert again == plan
    assert len(plan.digest) == 64


class Rent(Speak):
    """Costs something."""

    id = "test:rent"

    def plan(self, ctx, inputs):
        ctx.cost(Decimal("12.50"))
        ctx.cost(Decimal(3), "EUR")
        ctx.note("The bill comes later.")


def test_a_plan_adds_up_what_actions_know_of_the_costs(world):
    world.parts.registry._actions["test:rent"] = Rent(world.folder)
    plan = world.plan([{"action": "test:rent", "input": {}}, {"action": "test:rent", "input": {}}])
    assert plan.cost == "6.00 EUR and 25.00 USD a month"
    assert world.plan([{"input": {"text": "x"}}]).cost == ""


def test_a_confirmed_plan_is_what_runs(world):
    request = world.golden_path("python-web-service", INPUTS, without=("deploy",), idempotency_key="k")
    plan = world.workflows.plan(request, ANN)
    confirmed = request.model_copy(update={"plan_digest": plan.digest})
    run = world.wait(world.workflows.submit(confirmed, ANN).id)
    assert run.state == "succeeded", run.error
    assert run.steps[2].outputs["entityRef"] == "component:default/gift-wrapping"
    assert set(run.subjects) == {"component:default/gift-wrapping", "api:default/gift-wrapping-api"}
    assert run.output["text"][0]["title"] == "Next"
    files = {entry.path for entry in world.repositories.tree("acme/gift-wrapping", ANN) if entry.type == "blob"}
    assert files == {file.path for file in plan.files}
    assert world.repositories.file("acme/gift-wrapping", "app.py", ANN).text == next(
        file.text for file in plan.files if file.path == "app.py"
    )
    [event] = [event for event in world.outbox.read() if event.type == "catalog.location.requested"]
    assert event.data["target"] == "acme/gift-wrapping/catalog-info.yaml"
    assert world.workflows.submit(confirmed, ANN).id == run.id, "the same request again is the same run"
    with pytest.raises(Conflict) as refused:
        world.workflows.submit(confirmed.model_copy(update={"idempotency_key": None}), ANN)
    assert refused.value.code == "workflows.plan_changed"
    assert world.workflows.plan(request, ANN).problems, "the repository is there already"


def test_an_input_that_changed_after_the_plan_voids_it(world):
    request = world.request([{"input": {"text": "${{ parameters.a }}"}}], {"a": "1"})
    plan = world.workflows.plan(request, ANN)
    other = request.model_copy(update={"inputs": {"a": "2"}, "plan_digest": plan.digest})
    with pytest.raises(Conflict):
        world.workflows.submit(other, ANN)
    assert world.workflows.submit(request.model_copy(update={"plan_digest": plan.digest}), ANN).state == "queued"


def test_what_would_fail_is_a_problem_with_the_name_of_its_step(world):
    plan = world.plan(
        [
            {"name": "Get files", "action": "fetch:template", "input": {"url": "./nowhere"}},
            {"name": "Later", "input": {"text": "x"}},
        ]
    )
    assert plan.problems[0].startswith("Get files: There is nothing at ./nowhere.")
    assert plan.complete is False
    assert plan.steps[1].notes == ("Not previewed, because a step before it has a problem.",)
    request = world.request([{"name": "Get files", "action": "fetch:template", "input": {"url": "./nowhere"}}])
    digest = world.workflows.plan(request, ANN).digest
    with pytest.raises(Invalid) as refused:
        world.workflows.submit(request.model_copy(update={"plan_digest": digest}), ANN)
    assert refused.value.code == "workflows.plan_has_problems"


def test_faults_of_an_input_name_step_and_field(world):
    plan = world.plan([{"id": "x", "name": "Speak up", "input": {"lines": "many", "nope": 1}}])
    assert "steps.x.input.lines" in plan.problems[0]
    assert "steps.x.input.nope" in plan.problems[0]


def test_problems_do_not_show_where_the_server_keeps_its_files(world):
    skeleton = world.folder / "templates" / "python-web-service" / "odd"
    skeleton.mkdir()
    (skeleton / "a.txt").write_text("${{ values.x | nofilter }}")
    steps = [
        {"action": "fetch:template", "input": {"url": "./odd"}},
    ]
    first, second = world.plan(steps), world.plan(steps)
    assert "nofilter" in first.problems[0]
    assert ".plan-" not in first.problems[0]
    assert first.digest == second.digest


def test_conditions_and_turns_are_planned(world):
    plan = world.plan(
        [
            {"id": "no", "if": "${{ parameters.off }}"},
            {
                "id": "many",
                "each": ["a", "b"],
                "input": {"text": "${{ each.value }}", "outputs": {"x": "${{ each.value }}"}},
            },
            {"id": "none", "each": []},
            {"id": "use", "input": {"text": "got ${{ steps.many.output.x }}"}},
            {"id": "only-after-failure", "if": "${{ failure() }}"},
        ]
    )
    assert [(step.id, step.skipped) for step in plan.steps] == [
        ("no", True),
        ("many[0]", False),
        ("many[1]", False),
        ("none", True),
        ("use", False),
        ("only-after-failure", True),
    ]
    assert plan.steps[4].changes[0].subject == "got a,b"


def test_each_step_says_whether_the_actor_may(world):
    steps = [{"id": "a"}, {"id": "b", "action": "admin:speak"}]
    plan = world.plan(steps)
    assert [step.allowed for step in plan.steps] == [True, False]
    assert "needs the role maintainer" in plan.steps[1].reason
    assert plan.allowed is False
    assert world.plan(steps, owner="user:default/ann").allowed is True
    assert world.plan([{"id": "a"}], actor=EVE).allowed is False, "a viewer may look, not start"
    with pytest.raises(Denied):
        world.workflows.submit(world.request([{"id": "a"}]), EVE)


def test_an_input_that_is_only_known_later_is_said_to_be(world):
    plan = world.plan(
        [
            {"id": "one", "input": {"outputs": {"x": "y"}}},
            {"id": "two", "input": {"lines": "${{ steps.one.output.x }}"}},
            {"id": "three"},
        ]
    )
    assert plan.problems == ()
    assert plan.complete is False
    assert "only known when the steps before it have run" in plan.steps[1].notes[0]


def test_planning_runs_nothing(world):
    ledger = lines(world.folder / "ledger")
    world.plan(
        [{"action": action, "input": {"name": "x"}} for action in ("count:probe", "count:none", "count:natural")]
    )
    assert lines(world.folder / "ledger") == ledger


def test_a_plan_does_not_show_secrets(world):
    canary = "canary-5e2c-hidden"
    plan = world.plan([{"input": {"text": "use ${{ secrets.token }}"}}], secrets={"token": canary})
    assert canary not in plan.model_dump_json()
    assert "••••••" in plan.steps[0].changes[0].subject


SECRETS = {
    "type": "object",
    "required": ["token"],
    "additionalProperties": False,
    "properties": {
        "token": {"type": "string", "pattern": "^tok_[a-z]+$", "minLength": 20},
        "stage": {"enum": ["canary-enum-a", "b"]},
        "port": {"type": "integer"},
    },
}


def test_secrets_are_checked_by_the_schema_of_the_template_and_never_said(world):
    canary = "canary-77aa-unsaid"
    wrong = {"token": canary, "stage": canary, "port": canary, "more": canary}
    for call in (world.plan, world.submit):
        with pytest.raises(Invalid) as refused:
            call([{"input": {"text": "x"}}], secrets=wrong, secrets_schema=SECRETS)
        told = {problem.field: problem.message for problem in refused.value.problems}
        assert set(told) == {"secrets.token", "secrets.stage", "secrets.port", "secrets.more"}
        assert canary not in f"{refused.value} {refused.value.problems}"
        assert str(len(canary)) not in str(told)
    assert world.plan([{"input": {"text": "x"}}], secrets_schema=SECRETS).problems == ()
    with pytest.raises(Invalid) as refused:
        world.submit([{"input": {"text": "x"}}], secrets_schema=SECRETS)
    assert [(item.field, item.message) for item in refused.value.problems] == [
        ("secrets.token", "This secret is missing.")
    ]
    good = {"token": "tok_abcdefghijklmnopqrst", "stage": "b"}
    assert world.submit([{"input": {"text": "x"}}], secrets=good, secrets_schema=SECRETS).id
    with pytest.raises(Invalid) as refused:
        world.plan([{"input": {"text": "x"}}], secrets_schema={"type": "nonsense"})
    assert refused.value.problems[0].field == "workflow.secrets_schema"


def test_a_template_in_a_hosted_repository_reads_beside_itself(world):
    world.repositories.create(
        "acme/templates",
        ANN,
        files={
            "svc/template.yaml": (b"x: 1\n", False),
            "svc/skeleton/${{ values.name }}.txt": (b"old ${{ values.name }}", False),
            "secret.txt": (b"s", False),
        },
    )
    steps = [{"action": "fetch:template", "input": {"url": "./skeleton", "values": {"name": "bob"}}}]
    base = "hosted:acme/templates/svc/template.yaml"
    plan = world.plan(steps, base=base)
    assert [(file.path, file.text) for file in plan.files] == [("bob.txt", "old bob")]
    outside = [{"action": "fetch:plain:file", "input": {"url": "../secret.txt", "targetPath": "x"}}]
    assert "leads out of the folder of the template" in world.plan(outside, base=base).problems[0]


@pytest.mark.parametrize(
    ("base", "text"),
    [
        ("file:/etc/template.yaml", "may not be read by runs"),
        ("", "did not come from a file"),
        ("url:https://x/template.yaml", "did not come from a file"),
        ("hosted:acme/nope/template.yaml", "no repository"),
    ],
)
def test_a_template_from_elsewhere_reads_nothing(world, base, text):
    plan = world.plan([{"action": "fetch:plain", "input": {"url": "./skeleton"}}], base=base)
    assert text in plan.problems[0]


def test_anyone_who_may_start_runs_may_use_the_example_golden_paths(world):
    request = world.golden_path("static-docs-site", _inputs_of("static-docs-site"), without=("deploy",))
    plan = world.workflows.plan(request, BOB)
    assert plan.problems == ()
    request = world.golden_path("scheduled-job", _inputs_of("scheduled-job"), without=("deploy",))
    assert world.workflows.plan(request, BOB).problems == ()


def _inputs_of(name):
    common = {**INPUTS, "name": "other", "repoUrl": "flagstone?owner=acme&repo=other", "title": "Other"}
    return common | {"schedule": "0 * * * *", "deployNow": False} if name == "scheduled-job" else common
