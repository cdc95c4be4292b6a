"""What golden paths published to GitHub, brought up to their newest version by pull requests that are followed."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from flagstone.foundation.vault import VaultService
from flagstone.testing.github import FakeGitHub

from .conftest import ADA, World

TOKEN = "ghp_canary_91d2aa"


@pytest.fixture(scope="module")
def github(tmp_path_factory):
    """The golden path publishes to a GitHub of ours."""
    folder = tmp_path_factory.mktemp("github")
    with FakeGitHub(folder / "hub", token=TOKEN) as hub:
        host = {"host": "github.com", "api": hub.api, "web": hub.url, "credential": "gh"}
        settings = {"github.hosts": [host], "github.poll_seconds": 1}
        world = World(folder / "world", publish="publish:github", host="github.com", **settings)
        world.hub = hub
        world.app.deps.get(VaultService).put("gh", SecretStr(TOKEN))
        yield world
        world.app.stop()


def waiting(world, run):
    world.until(lambda: world.gateway.get_run(run.id, ADA).state == "waiting")
    world.listen()


def test_an_upgrade_on_github_is_previewed_opened_followed_and_remembered_when_it_is_merged(github):
    github.write("one")
    ref, made = github.make("orders")
    assert made.subjects == (ref,)
    standing = github.upgrades.get(ref)
    repo = github.hub.repos["acme/orders"]
    assert (standing.memory.repository, standing.memory.commit) == (
        "github.com?owner=acme&repo=orders",
        repo.head("master"),
    )
    assert standing.memory.href == "https://github.com/acme/orders"
    repo.commit("master", {"app.py": "# orders\nfirst = 100\n\n\nlast = 'one'\n"})
    github.write("two")

    plan = github.upgrades.plan(ADA, ref, {}, {})
    assert [step.action for step in plan.steps][-2:] == ["flagstone:github:upgrade", "flagstone:github:pull-request"]
    browser = github.browser("maintainer")
    shown = browser.post("/upgrades/component/default/orders", data={"_action": "preview"})
    assert "Open as a pull request" in shown.text
    assert "two" in shown.text
    assert repo.pulls == {}

    run = github.upgrades.open(ADA, ref, {}, {}, plan_digest=plan.digest)
    waiting(github, run)
    standing = github.upgrades.get(ref)
    (pull,) = repo.pulls.values()
    assert (standing.behind, standing.change_href) == (1, pull["html_url"])
    assert f"Pull request #{pull['number']}" in browser.get("/upgrades/component/default/orders").text
    assert repo.files(pull["head"]["ref"])["app.py"] == "# orders\nfirst = 100\n\n\nlast = 'two'\n"

    github.hub.repos["acme/orders"].git.move("refs/heads/master", pull["head"]["sha"], repo.head("master"))
    pull |= {"state": "closed", "merged": True}
    github.ended(run)
    github.listen()
    standing = github.upgrades.get(ref)
    assert (standing.behind, standing.memory.pending) == (0, None)
    github.write("three")
    again = github.upgrades.plan(ADA, ref, {}, {})
    assert "'three'" in str([change.facts for step in again.steps for change in step.changes])


def test_a_pull_request_that_is_closed_or_no_longer_followed_leaves_it_behind(github):
    github.write("four")
    ref, _ = github.make("search")
    github.write("five")
    run = github.upgrades.open(ADA, ref, {}, {})
    waiting(github, run)
    (pull,) = github.hub.repos["acme/search"].pulls.values()
    pull["state"] = "closed"
    github.ended(run)
    github.listen()
    assert (github.upgrades.get(ref).behind, github.upgrades.get(ref).memory.pending) == (1, None)
    second = github.upgrades.open(ADA, ref, {}, {})
    waiting(github, second)
    assert github.upgrades.get(ref).memory.pending is not None
    github.gateway.cancel(second.id, ADA)
    github.until(lambda: github.gateway.get_run(second.id, ADA).state == "cancelled")
    github.listen()
    assert github.upgrades.get(ref).memory.pending is None
