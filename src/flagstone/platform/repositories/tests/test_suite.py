"""``publish:git:pull-request`` keeps the promises that every action makes."""

from __future__ import annotations

import pytest

from flagstone.platform.repositories.actions import PublishPullRequest, UpgradeRepository
from flagstone.platform.repositories.service import Proposals, Upgrades
from flagstone.testing.actions import ANN
from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

from .conftest import Hosting


class TestPublishPullRequest(ActionSuite):
    """In front of a hosted repository."""

    @pytest.fixture
    def action(self, sqlite_database, tmp_path):
        hosting = Hosting(sqlite_database, tmp_path / "repositories")
        hosting.service.create("acme/shop", ANN, files={"old.txt": (b"old\n", False)})
        return PublishPullRequest(Proposals(hosting.changes, hosting.folders, hosting.pushes), "a@acme.example")

    @pytest.fixture
    def case(self, inputs):
        return ActionCase(PublishPullRequest, inputs, wrong={"branchName": 7}, wrong_field="branchName")

    @pytest.fixture
    def inputs(self):
        url = {"repoUrl": "flagstone?owner=acme&repo=shop"}
        return {**url, "branchName": "add", "title": "Add", "description": "", "targetPath": "docs"}

    def prepare(self, bench):
        bench.workspace.write("notes.md", "# Notes\n")


class TestUpgradeRepository(ActionSuite):
    """In front of a hosted repository that a template made."""

    @pytest.fixture
    def hosting(self, sqlite_database, tmp_path):
        return Hosting(sqlite_database, tmp_path / "repositories")

    @pytest.fixture
    def action(self, hosting):
        parts = (hosting.changes, hosting.folders, hosting.pushes)
        return UpgradeRepository(Upgrades(*parts), Proposals(*parts), "a@acme.example")

    @pytest.fixture
    def case(self, inputs):
        return ActionCase(UpgradeRepository, inputs, wrong={"branchName": 7}, wrong_field="branchName")

    @pytest.fixture
    def inputs(self, hosting):
        made = hosting.service.create("acme/shop", ANN, files={"notes.md": (b"old\n", False)})
        return {
            "repository": "acme/shop",
            "baseCommit": made.created_commit,
            "branchName": "upgrade/shop",
            "title": "Upgrade",
        }

    def prepare(self, bench):
        bench.workspace.write("notes.md", "# Notes\n")
