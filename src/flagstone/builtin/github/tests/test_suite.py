"""The actions keep the promises that every action makes."""

from __future__ import annotations

import pytest

from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

from .test_every_action import CASES, SHORT, prepare

URL = {"repoUrl": "github.com?owner=acme&repo=shop"}


class TestGitHubActions(ActionSuite):
    """One of each kind, in front of the fake GitHub; what is particular to them is in ``test_every_action``."""

    @pytest.fixture(
        params=[
            "publish:github",
            "publish:github:pull-request",
            "flagstone:github:upgrade",
            "github:issues:create",
            "github:webhook",
        ]
    )
    def id_(self, request):
        return request.param

    @pytest.fixture
    def case(self, world, id_, inputs):
        return ActionCase(lambda _: world.actions[id_], inputs, wrong={"repoUrl": 7}, wrong_field="repoUrl")

    @pytest.fixture
    def action(self, world, id_):
        prepare(world, id_)
        return world.actions[id_]

    @pytest.fixture
    def inputs(self, id_):
        return {**URL, **SHORT.get(id_, CASES[id_])}

    def prepare(self, bench):
        bench.workspace.write("README.md", "# Shop\n")
        bench.workspace.write("src/app.py", "print(1)\n")
