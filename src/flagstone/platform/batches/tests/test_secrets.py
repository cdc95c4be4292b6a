"""Secrets are given to a batch once, reach every run, are seen nowhere, and go when the batch can start nothing more."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from flagstone.foundation.audit import AuditQuery
from flagstone.foundation.vault import SecretBundles
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, Denied, Invalid
from flagstone.platform.batches.service import BatchSecrets, BatchService
from flagstone.platform.batches.store import BatchStore
from flagstone.platform.batches.tests.test_batches import ANN, BOB, EVE, SCHEMA, STEP, World
from flagstone.platform.runs.tests.harness import lines

CANARY = "CANARY-b2-hunter2"
OTHER = "CANARY-b2-swordfish"
WHISPER = {**STEP, "action": "whisper", "input": {"text": "${{ parameters.text }}", "key": "${{ secrets.key }}"}}
ASKED = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "minLength": 8}}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("secret-batches"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def world(shared):
    shared.moment = utc_now()
    shared.mood("")
    (shared.folder / "heard").unlink(missing_ok=True)
    for left in shared.vault.under("batches/"):
        shared.vault.delete(left.name)
    return shared


def make(world, count=3, secrets=CANARY, **values):
    flow = {"name": "t", "title": "T", "steps": [WHISPER], "parameters": SCHEMA, "secrets_schema": ASKED}
    given = {} if secrets is None else {"key": secrets}
    return world.make(count, **{"workflow": flow, "secrets": given, "stop_after_failures": 0, **values})


def kept(world, made):
    return [info.name for info in world.vault.under(f"batches/{made.id}/")]


def heard(world):
    return sorted(lines(world.folder / "heard"))


def killed(*_, **__):
    raise KeyboardInterrupt


def test_given_once_every_run_gets_them_and_they_are_deleted_with_the_last_run(world):
    made = make(world, at_once=1)
    assert (made.secrets, made.secrets_kept, len(kept(world, made))) == (("key",), True, 1)
    ended = world.settle(made)
    assert (ended.state, ended.secrets, ended.secrets_kept) == ("succeeded", ("key",), False)
    assert heard(world) == [f"s{number} {CANARY}" for number in range(3)]
    assert kept(world, made) == []


def test_the_value_is_found_nowhere_though_steps_and_errors_say_it(world, caplog):
    world.mood("s1")
    made = make(world)
    seen = [world.settle(made).model_dump_json()]
    world.batches.change(made.id, "retry", ANN, {"key": secret(OTHER)})
    world.settle(made)
    assert heard(world) == [f"s0 {CANARY}", f"s1 {CANARY}", f"s1 {OTHER}", f"s2 {CANARY}"]
    seen += [item.model_dump_json() for item in world.batches.items(made.id, EVE).items]
    for run in world.runs_of(made):
        seen += [world.runs.get(run.id, EVE).model_dump_json(), *world.log(run.id)]
    seen += [repr(event) for event in world.outbox.read(limit=100_000)]
    seen += [repr(row) for row in world.audit.list(AuditQuery(limit=500)).items]
    seen += [repr(world.store.get(made.id)), caplog.text, json.dumps(world.vault.list().items, default=str)]
    assert "not good enough" in "".join(seen)
    files = [path for path in world.folder.rglob("*") if path.is_file() and path.name != "heard"]
    assert any(path.name.startswith("platform.db") for path in files)
    for value in (CANARY, OTHER):
        for form in (value, base64.b64encode(value.encode()).decode(), value.encode().hex()):
            assert [text for text in seen if form in text] == []
            assert [path for path in files if form.encode() in path.read_bytes()] == []


def secret(text):
    return SecretStr(text)


def test_secrets_that_do_not_fit_the_schema_are_refused_once_for_all_and_without_the_value(world):
    for given, told in ((None, "This secret is missing."), ("", "This secret is missing."), ("hunter2", "8")):
        with pytest.raises(Invalid) as refused:
            make(world, 40, given)
        assert refused.value.code == "batches.bad_secrets"
        (problem,) = refused.value.problems
        assert (problem.field, told in problem.message) == ("secrets.key", True)
        assert "hunter2" not in repr(refused.value.as_dict())
    assert world.vault.under("batches/") == ()


def test_a_batch_that_failed_keeps_them_for_a_retry_and_asks_for_them_after_a_day(world):
    world.mood("s0")
    made = make(world, 2)
    assert world.settle(made).state == "failed"
    world.driver.tidy()
    world.batches.change(made.id, "retry", ANN)
    assert world.settle(made).state == "failed"
    world.moment += timedelta(hours=25)
    world.driver.tidy()
    assert (kept(world, made), world.view(made).secrets_kept) == ([], False)
    with pytest.raises(Invalid, match="needs its secrets again") as refused:
        world.batches.change(made.id, "retry", ANN)
    assert refused.value.code == "batches.secrets_needed"
    assert world.view(made).state == "failed"
    with pytest.raises(Invalid) as refused:
        world.batches.change(made.id, "retry", ANN, {"key": secret("short")})
    assert refused.value.code == "batches.bad_secrets"
    with pytest.raises(Denied):
        world.batches.change(made.id, "retry", BOB, {"key": secret(OTHER)})
    world.mood("")
    world.batches.change(made.id, "retry", ANN, {"key": secret(OTHER)})
    assert world.settle(made).state == "succeeded"
    assert heard(world)[-1] == f"s1 {CANARY}"
    assert heard(world).count(f"s0 {OTHER}") == 1
    assert kept(world, made) == []


def test_a_cancelled_batch_keeps_none_and_takes_none(world):
    made = make(world, at_once=1)
    world.batches.change(made.id, "pause", ANN)
    world.driver.drive(made.id)
    assert len(kept(world, made)) == 1
    with pytest.raises(Invalid, match="retry"):
        world.batches.change(made.id, "cancel", ANN, {"key": secret(OTHER)})
    world.batches.change(made.id, "cancel", ANN)
    assert world.settle(made).state == "cancelled"
    assert kept(world, made) == []
    with pytest.raises(Conflict):
        world.batches.change(made.id, "retry", ANN, {"key": secret(OTHER)})
    assert kept(world, made) == []


def test_killed_before_the_batch_is_written_nothing_stays_for_long(world, monkeypatch):
    monkeypatch.setattr(BatchStore, "add", killed)
    monkeypatch.setattr(SecretBundles, "discard", killed)
    with pytest.raises(KeyboardInterrupt):
        make(world)
    monkeypatch.undo()
    world.driver.tidy()
    assert len(world.vault.under("batches/")) == 1
    world.moment += timedelta(minutes=20)
    world.driver.tidy()
    assert world.vault.under("batches/") == ()


def test_killed_between_the_end_and_the_deleting_they_are_deleted_later(world, monkeypatch):
    made = make(world, 1)
    monkeypatch.setattr(BatchSecrets, "drop", killed)
    with pytest.raises(KeyboardInterrupt):
        world.settle(made)
    monkeypatch.undo()
    assert len(kept(world, made)) == 1
    world.moment += timedelta(minutes=20)
    world.driver.tidy()
    assert (kept(world, made), world.view(made).state) == ([], "succeeded")


def test_killed_while_a_retry_is_given_others_it_asks_for_them_again_and_mixes_nothing_up(world, monkeypatch):
    world.mood("s0")
    made = make(world, 1)
    world.settle(made)
    monkeypatch.setattr(BatchStore, "change", killed)
    with pytest.raises(KeyboardInterrupt):
        world.batches.change(made.id, "retry", ANN, {"another": secret("unimportant"), "key": secret(OTHER)})
    monkeypatch.undo()
    world.mood("")
    world.batches.change(made.id, "retry", ANN, {"another": secret("unimportant")})
    ended = world.settle(made)
    assert (ended.state, ended.secrets) == ("succeeded", ("key", "another"))
    assert heard(world) in ([f"s0 {CANARY}"] * 2, [f"s0 {CANARY}", f"s0 {OTHER}"])


def test_asked_twice_with_one_key_only_the_first_ones_are_kept(world, monkeypatch):
    first = make(world, 1, idempotency_key="once")
    monkeypatch.setattr(BatchService, "_known", late(1))
    assert make(world, 1, OTHER, idempotency_key="once").id == first.id
    assert [info.name for info in world.vault.under("batches/")] == kept(world, first)
    assert world.settle(first).state == "succeeded"
    assert heard(world) == [f"s0 {CANARY}"]


def late(times):
    """The look for a batch with the same key, the first times before the other request was written."""
    look, asked = BatchService._known, []

    def known(service, wanted, actor):
        asked.append(1)
        return None if len(asked) <= times else look(service, wanted, actor)

    return known


def test_the_copies_of_runs_that_never_came_to_be_are_deleted_too(world, monkeypatch):
    made = make(world, 1)
    monkeypatch.setattr(type(world.runs._runs), "insert", killed)
    monkeypatch.setattr(SecretBundles, "discard", killed)
    with pytest.raises(KeyboardInterrupt):
        world.driver.drive(made.id)
    monkeypatch.undo()
    copies = [info.name for info in world.vault.under("runs/")]
    world.runs._secrets.abandon(utc_now() + timedelta(hours=1), lambda run_id: world.runs._runs.get(run_id) is not None)
    assert len(copies) - len(world.vault.under("runs/")) == 1
    world.moment += timedelta(minutes=1)
    assert world.settle(made).state == "succeeded"
