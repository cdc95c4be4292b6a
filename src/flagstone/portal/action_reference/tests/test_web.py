"""The pages of actions as people see them."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from flagstone.builtin.actions.tests.cases import CASES
from flagstone.contracts.actions import ActionSpec
from flagstone.portal.action_reference.model import members
from flagstone.testing.actions import ActionBench
from flagstone.testing.portal import PortalApp, RecordingGateway


class _Gateway(RecordingGateway):
    specs: tuple[ActionSpec, ...] = ()

    def list_actions(self):
        return list(self.specs)


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    gateway = _Gateway()
    bench = ActionBench(tmp_path_factory.mktemp("bench"))
    gateway.specs = tuple(case.make(bench).spec("actions") for case in CASES.values())
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data", gateway)
    yield app
    app.stop()


def page(portal, path):
    answer = portal.client(portal.people.viewer).get(path)
    return answer.status_code, BeautifulSoup(answer.text, "html.parser")


def test_all_actions_are_listed_and_can_be_searched(portal):
    status, found = page(portal, "/actions")
    assert status == 200
    assert {link.text for link in found.select("main td a")} == set(CASES)
    _, found = page(portal, "/actions?q=render+cookiecutter")
    assert [link.text for link in found.select("main td a")] == ["fetch:cookiecutter"]
    assert "No action" in page(portal, "/actions?q=nonsense")[1].select_one("main").text


@pytest.mark.parametrize("action_id", ["fs:rename", "flagstone:command", "http:request", "debug:log"])
def test_the_page_of_an_action_says_all_that_it_says_of_itself(portal, action_id):
    status, found = page(portal, f"/actions/{action_id}")
    spec = next(spec for spec in _specs(portal) if spec.id == action_id)
    text = found.select_one("main").text
    assert status == 200
    for word in (spec.title, spec.permission, spec.undo, *spec.input_schema["properties"], spec.examples[0].title):
        assert word in text


def test_a_page_that_is_not_there_says_so(portal):
    assert page(portal, "/actions/no:such")[0] == 404


def test_members_of_lists_are_shown_below_them(portal):
    rename = next(spec for spec in _specs(portal) if spec.id == "fs:rename")
    assert [row.name for row in members(rename.input_schema)] == [
        "files",
        "files[].from",
        "files[].to",
        "files[].overwrite",
    ]


def _specs(portal):
    from flagstone.contracts.gateway import RunGateway

    return portal.deps.get(RunGateway).list_actions()
