"""The actions keep the promises that every action makes."""

from __future__ import annotations

import pytest

from flagstone.testing.suites.action_suite import ActionSuite

from .test_every_action import CASES, SHORT, prepare

URL = {"repoUrl": "github.com?owner=acme&repo=shop"}


class TestGitHubActions(ActionSuite):
    """All of them, in front of the fake GitHub."""

    @pytest.fixture(params=sorted(CASES))
    def id_(self, request):
        return request.param

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
