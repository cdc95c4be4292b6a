"""Drafts that grow old, and templates that cannot run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flagstone.foundation.audit import PortalAudit
from flagstone.foundation.vault import VaultService
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Invalid
from flagstone.portal.golden_paths import GoldenPathService, workflow
from flagstone.portal.golden_paths.service import DraftService
from flagstone.portal.golden_paths.store import DraftStore
from flagstone.toolkit.db import PortalDatabase


@pytest.fixture
def at(portal):
    """The service as it is some days from now."""

    def make(days=0):
        deps = portal.deps
        store = DraftStore(deps.get(PortalDatabase))
        later = utc_now() + timedelta(days=days)
        paths, vault, audit = deps.get(GoldenPathService), deps.get(VaultService), deps.get(PortalAudit)
        return DraftService(store, paths, vault, audit, days=30, now=lambda: later)

    return make


def test_a_draft_that_expired_is_not_found_and_goes_with_its_secrets(portal, at):
    paths, vault = portal.deps.get(GoldenPathService), portal.deps.get(VaultService)
    path, dora = paths.get("default", "odd"), portal.people.developer.principal
    draft = at().save(path, at().begin(dora, path, None), {"name": "old"}, 0, {"token": "s3cret"})
    assert at(29).find(dora, path, draft.id) == draft
    assert at(31).find(dora, path, draft.id) is None
    assert draft.vault_name in [item.name for item in vault.list().items]
    later = at(31)
    later.save(path, later.begin(dora, path, None), {}, 0)
    assert draft.vault_name not in [item.name for item in vault.list().items]
    assert DraftStore(portal.deps.get(PortalDatabase)).get(draft.id) is None


def test_the_id_of_an_expired_draft_is_not_used_again(portal, at):
    path, dora = portal.deps.get(GoldenPathService).get("default", "odd"), portal.people.developer.principal
    draft = at().save(path, at().begin(dora, path, None), {}, 0)
    assert at(31).begin(dora, path, draft.id).id != draft.id


def test_a_draft_of_one_template_is_none_of_another(portal, at):
    paths, dora = portal.deps.get(GoldenPathService), portal.people.developer.principal
    draft = at().save(paths.get("default", "odd"), at().begin(dora, paths.get("default", "odd"), None), {}, 0)
    assert at().find(dora, paths.get("default", "bare"), draft.id) is None


def test_a_template_becomes_a_workflow_with_ids_conditions_and_turns(portal):
    path = portal.deps.get(GoldenPathService).get("default", "odd")
    definition = workflow(path, {"name": "n"})
    assert [(step.id, step.name) for step in definition.steps] == [("step-1", "debug:log"), ("second", "Second")]
    assert definition.steps[1].condition == "${{ parameters.name }}"
    assert definition.steps[1].each == [1, 2]
    assert definition.version == path.version
    assert definition.title == "Odd one: n"


@pytest.mark.parametrize(
    "steps",
    [
        ({"id": "a", "action": "x"}, {"id": "a", "action": "y"}),
        ({"id": "a"},),
        ({"id": "a", "action": "x", "input": ["no", "object"]},),
        ({"id": "a", "action": 7},),
    ],
)
def test_a_template_that_cannot_run_says_which_step_is_wrong(portal, steps):
    path = replace(portal.deps.get(GoldenPathService).get("default", "odd"), steps=steps)
    with pytest.raises(Invalid) as caught:
        workflow(path, {})
    assert "'a'" in str(caught.value.problems[0])
