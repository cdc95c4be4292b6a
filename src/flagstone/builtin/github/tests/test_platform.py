"""GitHub from the settings file to the end of a run, in a whole platform."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.runs import RunRequest, StepDefinition, WorkflowDefinition
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.platform.door import LocalGateway
from flagstone.testing.github import FakeGitHub
from flagstone.testing.server import free_port

DORA = Principal("user", "user:dora", "Dora", "developer", "user:default/dora")
CANARY = "ghp_canary_74b0d1"
ENTITY = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "shop"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "group:default/payments"},
}


@contextmanager
def platform(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "flagstone.toml"
    file.write_text(f'[server]\ndata_dir = "{folder / "data"}"\nport = {free_port()}\n{text}')
    app = build(load_settings(file, environ={}), "platform", discover=False)
    app.migrate()
    app.start()
    try:
        yield app
    finally:
        app.stop()


def steps(*pairs):
    made = tuple(
        StepDefinition(id=f"s{n}", name=id_, action=id_, input=given) for n, (id_, given) in enumerate(pairs, 1)
    )
    return RunRequest(workflow=WorkflowDefinition(name="test", title="Test", steps=made))


def ended(gateway, request):
    run = gateway.submit(request, DORA)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = gateway.get_run(run.id, DORA)
        if found.state in ("succeeded", "failed", "cancelled", "unknown"):
            return found
        time.sleep(0.02)
    raise AssertionError(found.state)


def test_a_run_publishes_survives_a_lost_answer_and_keeps_no_credential(tmp_path):
    publish = ("publish:github", {"repoUrl": "github.com?owner=acme&repo=shop", "defaultBranch": "main"})
    request = steps(("catalog:write", {"entity": ENTITY}), publish)
    with FakeGitHub(tmp_path / "github", token=CANARY) as hub:
        text = f'[[github.hosts]]\nhost = "github.com"\napi = "{hub.api}"\nweb = "{hub.url}"\ncredential = "gh"\n'
        with platform(tmp_path / "platform", text) as app:
            gateway = app.deps.get(LocalGateway)
            assert gateway.info().repo_hosts == ("flagstone", "github.com")
            assert "'gh'" in str(gateway.plan(request, DORA).problems)
            app.deps.get(VaultService).put("gh", SecretStr(CANARY))
            plan = gateway.plan(request, DORA)
            assert plan.problems == ()
            assert "github.com/acme/shop" in {change.subject for step in plan.steps for change in step.changes}
            hub.fail("reset", match="POST /orgs/acme/repos", after=True)
            found = ended(gateway, request)
            assert found.state == "succeeded", found.error
            assert hub.repos["acme/shop"].files().keys() == {"catalog-info.yaml"}
            assert (hub.done["repository"], hub.done["push"]) == (1, 1)
            events = gateway.run_events(found.id, DORA)
            assert CANARY not in str(events) + str(found)
        for path in tmp_path.rglob("*"):
            if path.is_file() and "github" not in path.relative_to(tmp_path).parts[0]:
                assert CANARY.encode() not in path.read_bytes(), path


def test_a_host_that_is_not_in_the_settings_is_said_in_the_plan(tmp_path):
    request = steps(("publish:github", {"repoUrl": "github.com?owner=acme&repo=shop"}))
    with platform(tmp_path, "") as app:
        problems = app.deps.get(LocalGateway).plan(request, DORA).problems
        assert "github.hosts" in str(problems)


def test_settings_that_are_wrong_are_told_at_the_start(tmp_path):
    with pytest.raises(Invalid), platform(tmp_path, '[[github.hosts]]\nhots = "github.com"\n'):
        pass
