"""A golden path makes an environment."""

from __future__ import annotations

import pytest

from flagstone.kernel.errors import Conflict, Denied, Invalid
from flagstone.platform.environments.actions import CreateEnvironment
from flagstone.testing.actions import ActionBench
from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

from .test_service import ADMIN, DEVELOPER, World

WANTED = {"name": "try-it", "type": "staging"}


@pytest.fixture
def service(sqlite_database):
    made = World(sqlite_database).service()
    made.sync()
    return made


class TestCreateEnvironment(ActionSuite):
    """As every action."""

    @pytest.fixture
    def action(self, service):
        return CreateEnvironment(service)

    @pytest.fixture
    def case(self):
        return ActionCase(CreateEnvironment, WANTED, wrong={"name": 7}, wrong_field="name")

    @pytest.fixture
    def inputs(self):
        return dict(WANTED)

    @pytest.fixture
    def bench(self, tmp_path):
        return ActionBench(tmp_path / "bench", actor=ADMIN)


@pytest.fixture
def bench(tmp_path):
    return ActionBench(tmp_path / "bench", actor=ADMIN)


def test_an_environment_is_planned_made_and_left_alone_the_next_time(service, bench):
    action = CreateEnvironment(service)
    (change,) = bench.plan(action, WANTED).changes
    assert (change.kind, change.op, change.subject) == ("environment", "create", "try-it")
    assert [item.name for item in service.list(ADMIN)] == ["development"]
    assert bench.run(action, WANTED).outputs == {"name": "try-it"}
    assert bench.run(action, WANTED).outputs == {"name": "try-it"}
    assert bench.plan(action, WANTED).changes[0].op == "none"
    with pytest.raises(Conflict, match="of type staging"):
        bench.run(action, {**WANTED, "type": "development"})


def test_what_cannot_be_made_is_told_in_the_plan(service, bench):
    with pytest.raises(Invalid) as refused:
        bench.plan(CreateEnvironment(service), {"name": "Not A Name", "type": "moon", "runtime": "none"})
    assert [problem.field for problem in refused.value.problems] == ["name", "type", "runtime"]


def test_who_may_not_add_environments_may_not_by_a_golden_path(service, tmp_path):
    bench = ActionBench(tmp_path / "bench", actor=DEVELOPER)
    with pytest.raises(Denied):
        bench.run(CreateEnvironment(service), WANTED)
