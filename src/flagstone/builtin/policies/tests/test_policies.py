"""When somebody has to agree: production and deletions, and what cannot be foretold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.builtin.policies.policies import Deletions, Production
from flagstone.builtin.policies.settings import PoliciesSettings
from flagstone.contracts.plans import Change, Plan, PlannedStep
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import Principal
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import PolicyCase

TEAM = {"approvers": ["platform"], "count": 2}
SETTINGS = PoliciesSettings.model_validate({"production": TEAM, "deletions": TEAM})


def asked(policy, action, *changes, skipped=False, **inputs):
    step = PlannedStep(id="s", name="The step", action=action, changes=changes, inputs=inputs, skipped=skipped)
    request = RunRequest.model_validate({"workflow": {"name": "t", "title": "T", "steps": []}})
    case = PolicyCase(Plan(title="T", steps=(step,)), request, Principal("user", "user:ann", "Ann"))
    return [rule for verdict in policy(SETTINGS).verdicts(case) for rule in verdict.approvals]


def change(kind, op, subject, **facts):
    return Change(kind=kind, op=op, subject=subject, facts=facts)


def test_a_deployment_to_production_needs_those_who_are_named():
    [rule] = asked(Production, "flagstone:deploy", environment="Production")
    assert (rule.of, rule.count, rule.reason) == (("group:default/platform",), 2, "Production")
    assert asked(Production, "acme:ship", change("deployment", "create", "shop in production"))
    assert asked(Production, "acme:ship", change("deployment", "change", "shop", Environment="prod"))


def test_other_environments_need_nobody():
    assert not asked(Production, "flagstone:deploy", environment="development")
    assert not asked(Production, "flagstone:deploy", change("deployment", "create", "production-tools in staging"))
    assert not asked(Production, "debug:log", change("other", "run", "production"))
    assert not asked(Production, "flagstone:deploy", environment="production", skipped=True)


def test_an_environment_that_nobody_can_foretell_counts_as_production():
    assert asked(Production, "flagstone:deploy")


def test_whatever_deletes_needs_approval():
    assert asked(Deletions, "acme:clean", change("repository", "delete", "acme/shop"))
    assert asked(Deletions, "flagstone:repository:delete")
    assert not asked(Deletions, "fs:delete", change("file", "delete", "a.txt"))
    assert not asked(Deletions, "publish:git", change("repository", "create", "acme/shop"))


def test_with_the_settings_they_judge_every_run_of_a_platform(tmp_path):
    overrides = {"server.data_dir": str(tmp_path), "policies.deletions": TEAM}
    app = build(load_settings(None, environ={}, overrides=overrides), "platform", discover=False)
    app.migrate()
    step = {
        "id": "s",
        "name": "Forget it",
        "action": "catalog:unregister",
        "input": {"type": "url", "target": "https://acme.example/catalog-info.yaml"},
    }
    request = RunRequest.model_validate({"workflow": {"name": "t", "title": "T", "steps": [step]}})
    ann = Principal("user", "user:ann", "Ann", role="admin")
    try:
        workflows = app.deps.get(WorkflowService)
        plan = workflows.plan(request, ann)
        run = workflows.submit(request, ann)
    finally:
        app.stop()
    assert [(rule.of, rule.count) for rule in plan.approvals] == [(("group:default/platform",), 2)]
    assert plan.verdicts[0].policy == "flagstone:deletions"
    assert [item.action for item in run.steps] == ["flagstone:approval", "catalog:unregister"]


def test_they_are_off_unless_somebody_is_named_and_names_are_checked():
    assert PoliciesSettings().production.approvers == ()
    with pytest.raises((ValidationError, Exception), match="nobody who can be asked"):
        PoliciesSettings.model_validate({"deletions": {"approvers": ["component:default/x"]}})
