"""What holds for every action: its plan changes nothing, and whatever call is interrupted, its effect happens once."""

from __future__ import annotations

import re

import pytest
import yaml

from flagstone.kernel.errors import FlagstoneError, Temporary
from flagstone.toolkit.git import GitChanges

MUTATING = r"^(POST|PUT|PATCH|DELETE) "
WORKFLOW = """\
name: Build
run-name: Build ${{ inputs.flagstone_run }}
on:
  workflow_dispatch:
    inputs:
      level: {type: string}
      flagstone_run: {type: string}
jobs: {}
"""
SETUP = {
    "description": "The shop",
    "defaultBranch": "main",
    "topics": ["Shop"],
    "access": "acme/platform",
    "collaborators": [{"user": "bob", "access": "push"}, {"team": "payments", "access": "maintain"}],
    "repoVariables": {"REGION": "eu"},
    "secrets": {"DEPLOY": "s3cret"},
    "customProperties": {"tier": "1"},
    "oidcCustomization": {"useDefault": False, "includeClaimKeys": ["repo"]},
    "requiredCommitSigning": True,
    "subscribe": True,
}
BASE = "b83074a36a4ca4bbea171a87b5dfc1b304b392cc"
"""The first commit of the repository that :func:`prepare` makes."""
PULL = {"branchName": "add", "title": "Add", "description": "Why", "reviewers": ["bob"], "assignees": ["eve"]}
KEY = {
    "publicKey": "ssh-ed25519 AAAA x",
    "privateKey": "PRIVATE",
    "deployKeyName": "server",
    "privateKeySecretName": "K",
}
ENVIRONMENT = {
    "name": "production",
    "waitTimer": 5,
    "reviewers": [{"type": "User", "id": 3}, "group:default/payments"],
    "deploymentBranchPolicy": {"protected_branches": False, "custom_branch_policies": True},
    "customBranchPolicyNames": ["main", "release/*"],
    "environmentVariables": {"A": "1"},
    "secrets": {"B": "2"},
}
CASES = {
    "publish:github": SETUP,
    "github:repo:create": {
        key: value for key, value in SETUP.items() if key not in ("defaultBranch", "requiredCommitSigning")
    },
    "github:repo:push": {"defaultBranch": "main"},
    "publish:github:pull-request": PULL,
    "flagstone:github:upgrade": {"branchName": "upgrade/web", "title": "Upgrade", "baseCommit": BASE},
    "github:issues:create": {"title": "Alerts", "body": "Set them up", "labels": ["ops"], "assignees": ["bob"]},
    "github:issues:label": {"number": 1, "labels": ["a", "b"]},
    "github:actions:dispatch": {
        "workflowId": "build.yaml",
        "branchOrTagName": "main",
        "workflowInputs": {"level": "full"},
    },
    "github:webhook": {"webhookUrl": "https://ci.acme.example/hook", "webhookSecret": "hush", "events": ["push"]},
    "github:deployKey:create": KEY,
    "github:environment:create": ENVIRONMENT,
    "github:autolinks:create": {"keyPrefix": "T-", "urlTemplate": "https://t.acme.example/<num>"},
    "github:branch-protection:create": {
        "branch": "main",
        "requiredApprovingReviewCount": 2,
        "requiredCommitSigning": True,
    },
    "github:pages:enable": {"buildType": "legacy", "sourcePath": "/docs"},
}
# Fewer calls of one kind: each is cut once, and each cut is a GitHub of its own.
SHORT = {
    "publish:github": {
        "description": "The shop",
        "defaultBranch": "main",
        "topics": ["shop"],
        "repoVariables": {"REGION": "eu"},
        "secrets": {"DEPLOY": "s3cret"},
    },
    "github:repo:create": {"description": "The shop", "collaborators": [{"user": "bob", "access": "push"}]},
    "publish:github:pull-request": {key: value for key, value in PULL.items() if key != "assignees"},
    "github:environment:create": {
        "name": "production",
        "customBranchPolicyNames": ["main"],
        "environmentVariables": {"A": "1"},
    },
}
NEW = ("publish:github", "github:repo:create")


def prepare(world, id_):
    """What must be there before the action."""
    if id_ in NEW:
        return
    repo = world.hub.repository(
        "acme/shop",
        None if id_ == "github:repo:push" else {"old.txt": "old\n", ".github/workflows/build.yaml": WORKFLOW},
    )
    if id_ == "github:issues:label":
        repo.issues[1] = {"number": 1, "state": "open"}


def mutations(world):
    return [request for request in world.hub.asked if re.search(MUTATING, request)]


def state(world):
    """Everything that people would see on GitHub."""
    repo = world.hub.repos["acme/shop"]
    hidden = r"<!-- flagstone-\w+ -->|rendered[^,]*"
    seen = [repr(value) for value in (repo.facts, repo.issues, repo.pulls, repo.lists, repo.puts, repo.variables)]
    numbers = r"127\.0\.0\.1:\d+|[0-9a-f]{40}|\d{4}-\d\d-\d\dT[\d:]+Z"
    tips = {tip.branch: repo.files(tip.branch) for tip in GitChanges(repo.git).tips()}
    return [re.sub(numbers, "", re.sub(hidden, "", text)) for text in seen], repo.secrets, tips, world.hub.done


def test_every_action_is_in_this_test(world):
    assert set(world.actions) == {*CASES, "flagstone:github:workflow", "flagstone:github:pull-request"}


@pytest.mark.parametrize("id_", CASES)
def test_planning_says_something_and_changes_nothing(world, id_):
    prepare(world, id_)
    first, second = world.plan(id_, CASES[id_]), world.plan(id_, CASES[id_])
    assert first[0].changes
    assert (first[0].changes, first[1]) == (second[0].changes, second[1])
    assert mutations(world) == []
    assert not [text for text in map(str, first[0].changes) if "s3cret" in text or "PRIVATE" in text or "hush" in text]


@pytest.mark.parametrize("id_", CASES)
def test_whichever_call_is_interrupted_the_effect_happens_once(make_world, id_):
    given = SHORT.get(id_, CASES[id_])
    clean = make_world("clean")
    prepare(clean, id_)
    _, outputs = clean.run(id_, given)
    assert clean.hub.unknown == []
    wanted, calls = state(clean), len(mutations(clean))
    assert calls
    if clean.actions[id_].idempotency == "probe":
        assert clean.again(id_, given) == outputs
        assert state(clean) == wanted
    for number in range(calls):
        world = make_world(f"cut-{number}")
        prepare(world, id_)
        # The answer is lost after the server did what it was asked for: as bad as being killed right there.
        world.hub.fail("reset", match=MUTATING, skip=number, after=True)
        with pytest.raises(Temporary):
            world.run(id_, given)
        found = world.again(id_, given).model_dump()
        assert found.keys() == outputs.model_dump().keys()
        assert state(world) == wanted, f"after call {number}: {mutations(world)[number]}"


@pytest.mark.parametrize("id_", CASES)
def test_its_examples_are_inputs_that_it_takes(world, id_):
    action = world.actions[id_]
    assert action.examples
    spec = action.spec()
    assert spec.has_undo or action.without_undo
    for schema in (spec.input_schema, spec.output_schema):
        for name, member in schema.get("properties", {}).items():
            assert re.fullmatch(r"[a-z][a-zA-Z0-9]*", name)
            assert member.get("description"), name
    for example in action.examples:
        for step in yaml.safe_load(example.yaml):
            assert step["action"] == id_
            given = re.sub(r"\$\{\{.*?\}\}", "7", repr(step["input"]))
            action.Input.model_validate(yaml.safe_load(given))


@pytest.mark.parametrize(
    "id_", ["publish:github", "publish:github:pull-request", "github:webhook", "github:issues:create"]
)
def test_a_credential_that_is_refused_is_named(world, id_):
    prepare(world, id_)
    world.secrets["github-token"] = "revoked"
    for call in (world.plan, world.run):
        with pytest.raises(FlagstoneError) as refused:
            call(id_, CASES[id_])
        assert refused.value.code == "github.credential_refused"
        assert "github-token" in str(refused.value)
        assert "revoked" not in str(refused.value)
