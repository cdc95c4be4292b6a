"""What was made from a template, brought up to its new version by a pull request on GitHub."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagstone.builtin.github.following import FollowPullRequest
from flagstone.kernel.errors import Invalid, Temporary
from flagstone.sdk import Waiting
from flagstone.toolkit.git import GitChanges

UPGRADE, FOLLOW = "flagstone:github:upgrade", "flagstone:github:pull-request"
MADE = {
    "README.md": "# Shop\n\nMade from a template.\n",
    "app.py": "first = 1\n\n\n\nlast = 'one'\n",
    "settings.toml": "level = 1\n",
    "removed-by-template.txt": "old\n",
    "both.txt": "a\n",
    "gone-here.txt": "before\n",
    "kept.txt": "same\n",
}
NOW = {
    "README.md": "# Shop\n\nMade from a template.\n",
    "app.py": "first = 1\n\n\n\nlast = 'two'\n",
    "settings.toml": "level = 2\n",
    "both.txt": "template\n",
    "gone-here.txt": "after\n",
    "kept.txt": "same\n",
    "new.txt": "new\n",
}


@pytest.fixture
def shop(world):
    for path in world.workspace.rglob("*"):
        if path.is_file():
            path.unlink()
    world.write(NOW)
    repo = world.hub.repository("acme/shop", MADE)
    repo.base = repo.head("main")
    return repo


def given(repo, **more):
    return {"baseCommit": repo.base, "branchName": "upgrade/web", "title": "Upgrade the shop", **more}


def people_change(repo, world):
    repo.commit("main", {"app.py": "first = 100\n\n\n\nlast = 'one'\n", "own.txt": "ours\n", "both.txt": "people\n"})
    tree = {"path": "gone-here.txt", "mode": "100644", "type": "blob", "sha": None}
    made = world.hub.plumbing.tree(repo, repo.head("main"), [tree])
    commit = world.hub.plumbing.commit(repo, {"tree": made, "parents": [repo.head("main")], "message": "Without it"})
    repo.git.move("refs/heads/main", commit, repo.head("main"))


def test_what_people_changed_is_kept_and_what_the_template_changed_arrives(world, shop):
    people_change(shop, world)
    ctx, planned = world.plan(UPGRADE, given(shop))
    assert planned.conflicts == ["both.txt", "gone-here.txt"]
    assert dict(ctx.files) == {
        "app.py": "change",
        "both.txt": "change",
        "gone-here.txt": "create",
        "new.txt": "create",
        "removed-by-template.txt": "delete",
        "settings.toml": "change",
    }
    _, made = world.run(UPGRADE, given(shop))
    (pull,) = shop.pulls.values()
    assert made.pull_request_number == pull["number"]
    files = shop.files(pull["head"]["ref"])
    assert files["app.py"] == "first = 100\n\n\n\nlast = 'two'\n"
    assert files["settings.toml"] == "level = 2\n"
    assert (files["own.txt"], files["new.txt"], files["gone-here.txt"]) == ("ours\n", "new\n", "after\n")
    assert "removed-by-template.txt" not in files
    assert files["both.txt"] == ("<<<<<<< this repository\npeople\n=======\ntemplate\n>>>>>>> the template now\n")
    assert "- `both.txt`\n- `gone-here.txt`" in pull["body"]
    assert shop.files("main")["app.py"].startswith("first = 100")


def test_the_next_upgrade_begins_where_this_one_ended(world, shop):
    _, made = world.run(UPGRADE, given(shop))
    world.hub.repos["acme/shop"].git.move("refs/heads/main", made.commit_hash, shop.head("main"))
    shop.base = made.rendered_commit
    assert GitChanges(shop.git).merge_base(shop.head("main"), made.rendered_commit) == made.rendered_commit
    ctx, again = world.plan(UPGRADE, given(shop))
    assert again.pull_request_number is None
    assert [change[1] for change in ctx.changes] == ["none"]
    world.write({"settings.toml": "level = 3\n"})
    shop.commit("main", {"settings.toml": "# ours\nlevel = 2\n"})
    _, merged = world.plan(UPGRADE, given(shop))
    assert merged.conflicts == ["settings.toml"]


def test_a_repository_that_holds_everything_gets_no_pull_request(world, shop):
    shop.commit("main", NOW)
    tree = {"path": "removed-by-template.txt", "mode": "100644", "type": "blob", "sha": None}
    made = world.hub.plumbing.tree(shop, shop.head("main"), [tree])
    commit = world.hub.plumbing.commit(shop, {"tree": made, "parents": [shop.head("main")], "message": "Same"})
    shop.git.move("refs/heads/main", commit, shop.head("main"))
    _, found = world.run(UPGRADE, given(shop))
    assert found.pull_request_number is None
    assert found.rendered_commit
    assert shop.pulls == {}


def test_pictures_and_modes_are_not_merged_as_text(world, shop):
    (world.workspace / "logo.png").write_bytes(b"\x89PNG\0new")
    shop.commit("main", {"logo.png": "\x89PNG\0people"})
    (world.workspace / "settings.toml").chmod(0o755)
    _, made = world.run(UPGRADE, given(shop))
    (pull,) = shop.pulls.values()
    assert made.conflicts == ["logo.png"]
    modes = {entry.path: entry.executable for entry in shop.git.tree(pull["head"]["sha"])}
    assert modes["settings.toml"]
    assert not modes["app.py"]


def test_a_history_without_the_commit_of_the_template_is_told(world, shop):
    with pytest.raises(Invalid, match="has no commit aaaa") as refused:
        world.plan(UPGRADE, given(shop, baseCommit="a" * 40))
    assert "by hand" in refused.value.hint


def test_an_interruption_between_branch_and_pull_request_makes_one_of_each(world, shop):
    world.hub.fail("reset", match="POST .*/pulls")
    with pytest.raises(Temporary):
        world.run(UPGRADE, given(shop))
    shop.commit("main", {"own.txt": "pushed meanwhile\n"})
    found = world.again(UPGRADE, given(shop))
    assert len(shop.pulls) == 1
    assert world.again(UPGRADE, given(shop)) == found
    assert shop.files(shop.pulls[found.pull_request_number]["head"]["ref"])["own.txt"] == "pushed meanwhile\n"
    assert len(GitChanges(shop.git).tips()) == 2


def test_undoing_closes_the_pull_request_unless_people_worked_on_it(world, shop):
    _, made = world.run(UPGRADE, given(shop))
    world.undo(UPGRADE, made, given(shop))
    assert shop.pulls[made.pull_request_number]["state"] == "closed"
    assert [tip.branch for tip in GitChanges(shop.git).tips()] == ["main"]


def test_waiting_for_a_pull_request_looks_less_and_less_often_and_tells_how_it_ended(world, shop):
    _, made = world.run(UPGRADE, given(shop))
    follow = FollowPullRequest(world.hosts, poll_seconds=60, now=lambda: world.now)
    world.actions[FOLLOW] = follow
    number = {"pullRequestNumber": made.pull_request_number}
    memory, pauses = {}, []
    for _ in range(9):
        with pytest.raises(Waiting) as waiting:
            world.run(FOLLOW, number, memory=memory)
        memory = waiting.value.data
        pauses.append(waiting.value.until - world.now)
        world.now = waiting.value.until
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert pauses[-1] == timedelta(hours=1)
    shop.pulls[made.pull_request_number] |= {"state": "closed", "merged": True}
    _, ended = world.run(FOLLOW, number, memory=memory)
    assert (ended.merged, ended.state) == (True, "merged")
    shop.pulls[made.pull_request_number] |= {"merged": False, "merged_at": None}
    assert world.run(FOLLOW, number)[1].state == "closed"
    assert world.run(FOLLOW, {"pullRequestNumber": 999})[1].state == "gone"
    assert world.run(FOLLOW, {})[1].state == "none"
    shop.pulls[made.pull_request_number]["state"] = "open"
    world.now += timedelta(days=40)
    assert world.run(FOLLOW, number, memory=memory)[1].state == "open"
