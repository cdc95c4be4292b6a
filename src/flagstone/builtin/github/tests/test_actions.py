"""Each action, as templates use it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Permanent, Temporary
from flagstone.sdk import Waiting

from .conftest import TOKEN
from .test_every_action import KEY, PULL, SETUP, WORKFLOW

FOLLOW = "flagstone:github:workflow"
BUILD = {"workflowId": "build.yaml"}


def test_publishing_makes_a_repository_with_the_files_and_everything_asked_for(world):
    ctx, made = world.run("publish:github", {**SETUP, "sourcePath": "src", "gitCommitMessage": "Begin"})
    repo = world.hub.repos["acme/shop"]
    assert repo.files() == {"app.py": "print(1)\n"}
    assert made.commit_hash == repo.head("main")
    assert made.remote_url == f"{world.hub.url}/acme/shop.git"
    assert made.contents_url == f"{world.hub.url}/acme/shop/blob/main"
    assert (repo.facts["description"], repo.facts["visibility"], repo.facts["private"]) == ("The shop", "private", True)
    assert repo.puts["topics"] == {"names": ["shop"]}
    assert repo.puts["collaborators/bob"] == {"permission": "push"}
    assert repo.puts["teams/platform"] == {"permission": "admin"}
    assert repo.variables == {"actions/REGION": "eu"}
    assert repo.secrets == {"actions/DEPLOY": "s3cret"}
    protection = repo.puts["branches/main/protection"]
    assert protection["required_pull_request_reviews"]["required_approving_review_count"] == 1
    assert repo.git.commits(1)[0].author.name == "Flagstone"
    assert TOKEN not in " ".join(ctx.lines)


def test_nothing_of_the_credential_is_left_on_disk(world):
    world.run("publish:github", SETUP)
    for path in world.folder.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def test_a_name_that_is_taken_is_refused_in_the_plan_already_and_left_alone(world):
    repo = world.hub.repository("acme/shop", {"precious.txt": "x"})
    for call in (world.plan, world.run):
        for id_ in ("publish:github", "github:repo:create"):
            with pytest.raises(Conflict, match="already"):
                call(id_, {"defaultBranch": "main"} if id_ == "publish:github" else {})
    assert repo.files() == {"precious.txt": "x"}


def test_a_plan_of_github_without_protection_is_said_and_is_no_error(world):
    world.hub.fail("upgrade", match="protection")
    ctx, _ = world.run("publish:github", {"defaultBranch": "main"})
    assert "not protected" in " ".join(ctx.lines)


def test_undo_deletes_what_nobody_has_pushed_to(world):
    _, made = world.run("publish:github", SETUP)
    world.undo("publish:github", made, SETUP)
    world.undo("publish:github", made, SETUP)
    assert world.hub.repos == {}
    _, made = world.run("publish:github", SETUP, step_key="second")
    world.hub.repos["acme/shop"].commit("main", {"work.txt": "of somebody"})
    world.undo("publish:github", made, SETUP, step_key="second")
    assert "acme/shop" in world.hub.repos
    world.hub.repos.clear()
    _, made = world.run("github:repo:create", {})
    world.undo("github:repo:create", made)
    assert world.hub.repos == {}


def test_a_user_repository_is_made_with_the_users_own_credential_only(world):
    world.run("github:repo:create", {"repoUrl": "github.com?owner=acme-bot&repo=mine"})
    assert "POST /user/repos" in world.hub.asked


def test_a_push_to_a_branch_with_commits_is_refused(world):
    world.hub.repository("acme/shop", {"a": "b"})
    with pytest.raises(Conflict, match="commits already"):
        world.run("github:repo:push", {"defaultBranch": "main"})
    world.run("github:repo:push", {"defaultBranch": "other"})
    assert set(world.hub.repos["acme/shop"].files("other")) == {"README.md", "src/app.py"}


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("401", Denied, "git.remote_denied"),
        ("500", Temporary, "git.remote_failed"),
        ("reset", Temporary, "git.remote_failed"),
        ("truncated", Temporary, "git.remote_failed"),
        ("html", Temporary, "git.remote_failed"),
    ],
)
@pytest.mark.parametrize("match", ["info/refs", r"shop\.git/git-receive-pack"])
def test_a_push_that_goes_wrong_is_told_as_what_it_is_and_done_the_next_time(world, fault, error, code, match):
    repo = world.hub.repository("acme/shop")
    world.hub.fail(fault, match=match)
    with pytest.raises(error) as told:
        world.run("github:repo:push", {"defaultBranch": "main"})
    assert told.value.code == code
    assert world.again("github:repo:push", {"defaultBranch": "main"}).commit_hash == repo.head("main")


def test_a_pull_request_to_an_empty_repository_is_refused(world):
    world.hub.repository("acme/shop")
    with pytest.raises(NotFound, match="no branch"):
        world.plan("publish:github:pull-request", PULL)


def test_a_repository_that_moved_is_said(world):
    world.hub.repository("acme/shop", {"a": "b"})
    world.hub.fail("moved", match="POST")
    with pytest.raises(Permanent, match="moved"):
        world.run("github:issues:create", {"title": "T"})


def test_a_long_description_has_room_for_the_mark(world):
    world.run("github:repo:create", {"description": "x" * 350})
    assert world.hub.repos["acme/shop"].facts["description"] == "x" * 350


def test_a_pull_request_has_only_what_differs_and_shows_it_in_the_plan(world):
    repo = world.hub.repository("acme/shop", {"README.md": "# Shop\n", "src/app.py": "print(0)\n", "old.txt": "x\n"})
    given = {**PULL, "filesToDelete": ["old.txt"], "teamReviewers": ["acme/payments"], "draft": True}
    (world.workspace / "logo.png").write_bytes(b"\x89PNG\0\xff")
    ctx, planned = world.plan("publish:github:pull-request", given)
    changes = {subject: (op, facts.get("Diff", "")) for _, op, subject, _, facts in ctx.changes}
    assert changes["src/app.py"] == ("change", "@@ -1 +1 @@\n-print(0)\n+print(1)")
    assert changes["old.txt"][0] == "delete"
    assert changes["logo.png"][0] == "create"
    assert "README.md" not in changes
    assert planned.target_branch_name == "main"
    _, made = world.run("publish:github:pull-request", given)
    pull = repo.pulls[made.pull_request_number]
    assert set(repo.files("add")) == {"README.md", "src/app.py", "logo.png"}
    assert repo.git.file(repo.head("add"), "logo.png").data == b"\x89PNG\0\xff"
    assert (pull["title"], pull["draft"], pull["reviewers"], pull["team_reviewers"]) == (
        "Add",
        True,
        ["bob"],
        ["payments"],
    )
    assert pull["body"].startswith("Why\n\n<!-- flagstone-")
    assert repo.files("main")["old.txt"] == "x\n"


def test_an_empty_pull_request_is_not_opened_and_says_so(world):
    world.hub.repository("acme/shop", {"README.md": "# Shop\n", "src/app.py": "print(1)\n"})
    ctx, _ = world.plan("publish:github:pull-request", PULL)
    assert [op for _, op, *_ in ctx.changes] == ["none"]
    ctx, made = world.run("publish:github:pull-request", PULL)
    assert (made.pull_request_number, made.remote_url) == (None, "")
    assert "already" in ctx.lines[-1]
    _, made = world.run("publish:github:pull-request", {**PULL, "createWhenEmpty": True})
    assert made.pull_request_number == 1


def test_an_existing_branch_is_refused_or_updated(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    repo.git.move("refs/heads/add", repo.head("main"), None)
    repo.commit("add", {"theirs.txt": "t"})
    for call in (world.plan, world.run):
        with pytest.raises(Conflict, match="update"):
            call("publish:github:pull-request", PULL)
    _, made = world.run("publish:github:pull-request", {**PULL, "update": True})
    world.write({"more.txt": "more\n"})
    _, again = world.run("publish:github:pull-request", {**PULL, "update": True}, step_key="other")
    assert again.pull_request_number == made.pull_request_number
    assert {"theirs.txt", "more.txt", "README.md"} <= set(repo.files("add"))


def test_undo_of_a_pull_request_closes_it_and_keeps_what_others_pushed(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    _, made = world.run("publish:github:pull-request", PULL)
    world.undo("publish:github:pull-request", made, PULL)
    assert (repo.pulls[1]["state"], repo.head("add")) == ("closed", None)
    _, made = world.run("publish:github:pull-request", PULL, step_key="second")
    repo.commit("add", {"x": "y"})
    world.undo("publish:github:pull-request", made, PULL, step_key="second")
    assert repo.head("add")


def test_what_is_not_supported_is_refused_before_the_run(world):
    with pytest.raises(ValidationError, match="forceFork"):
        world.inputs("publish:github:pull-request", {**PULL, "forceFork": True})
    world.hub.repository("acme/shop", {"a": "b"})
    with pytest.raises(NotFound, match="nowhere"):
        world.plan("publish:github:pull-request", {**PULL, "targetBranchName": "nowhere"})
    with pytest.raises(Invalid):
        world.run("publish:github:pull-request", {**PULL, "targetPath": "../x"})


def test_an_issue_is_closed_again_by_undo(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    _, made = world.run("github:issues:create", {"title": "T"})
    world.undo("github:issues:create", made, {"title": "T"})
    assert repo.issues[made.issue_number]["state"] == "closed"


def test_a_webhook_of_the_same_address_is_changed(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    world.run("github:webhook", {"webhookUrl": "https://ci.acme.example/h"})
    world.run("github:webhook", {"webhookUrl": "https://ci.acme.example/h", "events": ["*"], "contentType": "json"})
    [hook] = repo.lists["hooks"]
    assert (hook["events"], hook["config"]["content_type"]) == (["*"], "json")


def test_a_deploy_key_goes_with_its_secret(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    ctx, made = world.run("github:deployKey:create", KEY)
    assert (made.secret_name, repo.secrets) == ("K", {"actions/K": "PRIVATE"})
    assert "PRIVATE" not in " ".join(ctx.lines)


def test_an_autolink_of_others_is_not_touched(world):
    repo = world.hub.repository("acme/shop", {"a": "b"})
    repo.lists["autolinks"] = [{"key_prefix": "T-", "url_template": "https://other/<num>"}]
    with pytest.raises(Conflict, match="other"):
        world.run("github:autolinks:create", {"keyPrefix": "T-", "urlTemplate": "https://t/<num>"})


def follow(world, given=None, memory=None, attempt=1, stop=False):
    """One look of the step: (context, outputs) or (context, the Waiting)."""
    from .conftest import Context

    ctx = Context(world.workspace, memory=memory, attempt=attempt)
    ctx.stop = stop
    try:
        return ctx, world.actions[FOLLOW].run(ctx, world.inputs(FOLLOW, given or BUILD))
    except Waiting as waiting:
        return ctx, waiting


def shop(world):
    return world.hub.repository("acme/shop", {".github/workflows/build.yaml": WORKFLOW})


def test_a_workflow_is_followed_to_its_end(world):
    repo = shop(world)
    _, waiting = follow(world, {**BUILD, "workflowInputs": {"level": "full"}})
    assert (waiting.kind, (waiting.until - world.now).total_seconds()) == ("poll", 5)
    assert repo.runs[0]["inputs"]["level"] == "full"
    repo.runs[0]["status"] = "in_progress"
    _, waiting = follow(world, memory=waiting.data)
    assert "in progress" in waiting.message
    assert repo.runs[0]["html_url"] in waiting.message
    repo.runs[0] |= {"status": "completed", "conclusion": "success"}
    ctx, made = follow(world, memory=waiting.data)
    assert (made.conclusion, made.run_id, made.html_url) == ("success", 1000, repo.runs[0]["html_url"])
    assert "build: success" in ctx.lines[0]
    assert world.hub.done["workflow run"] == 1


def test_a_workflow_that_fails_fails_the_step_with_the_place_of_its_log(world):
    repo = shop(world)
    _, waiting = follow(world)
    repo.runs[0] |= {"status": "completed", "conclusion": "failure"}
    with pytest.raises(Permanent, match="actions/runs/1000"):
        follow(world, memory=waiting.data)


def test_an_older_server_does_not_tell_the_run_and_it_is_found_by_its_name(world):
    repo = shop(world)
    world.hub.tells_runs = False
    _, waiting = follow(world)
    assert waiting.data["id"] is None
    mine = repo.runs[0]
    repo.runs.append({**mine, "id": 2000, "display_title": "Build of somebody"})
    _, waiting = follow(world, memory=waiting.data)
    assert waiting.data["id"] == mine["id"]


def test_a_run_that_never_appears_is_given_up(world):
    repo = shop(world)
    world.hub.tells_runs = False
    _, waiting = follow(world)
    repo.runs.clear()
    _, waiting = follow(world, memory=waiting.data)
    assert "not to be seen" in waiting.message
    world.later(minutes=6)
    with pytest.raises(Permanent, match="no run"):
        follow(world, memory=waiting.data)


def test_killed_right_after_the_dispatch_it_finds_its_own_run(world):
    repo = shop(world)
    world.hub.fail("reset", match="dispatches", after=True)
    with pytest.raises(Temporary):
        follow(world)
    repo.runs.append({**repo.runs[0], "id": 2000, "display_title": "Build of somebody"})
    _, waiting = follow(world, attempt=2)
    assert waiting.data["id"] == 1000
    assert world.hub.done["workflow run"] == 1


def test_without_a_mark_in_the_workflow_a_person_is_asked_rather_than_starting_it_twice(world):
    world.hub.repository("acme/shop", {".github/workflows/build.yaml": "on:\n  workflow_dispatch: {}\n"})
    world.hub.names_runs = False
    world.hub.fail("reset", match="dispatches", after=True)
    with pytest.raises(Temporary):
        follow(world)
    with pytest.raises(Permanent, match="cannot be known"):
        follow(world, attempt=2)
    assert world.hub.done["workflow run"] == 1


def test_cancelling_and_timing_out_cancel_the_workflow(world):
    repo = shop(world)
    _, waiting = follow(world)
    _, waiting = follow(world, memory=waiting.data, stop=True)
    assert repo.runs[0]["conclusion"] == "cancelled"
    repo.runs[0] |= {"status": "in_progress", "conclusion": None}
    world.later(minutes=11)
    with pytest.raises(Permanent, match="10 minutes"):
        follow(world, {**BUILD, "timeoutMinutes": 10}, memory=waiting.data)
    assert repo.runs[0]["conclusion"] == "cancelled"
    repo.runs[0] |= {"status": "in_progress", "conclusion": None}
    world.undo(FOLLOW, None, BUILD, memory=waiting.data)
    world.undo(FOLLOW, None, BUILD, memory=waiting.data)
    assert repo.runs[0]["conclusion"] == "cancelled"


def test_inputs_that_the_workflow_does_not_take_are_refused_in_the_plan(world):
    shop(world)
    with pytest.raises(Invalid, match="colour"):
        world.plan(FOLLOW, {**BUILD, "workflowInputs": {"colour": "red"}})
    with pytest.raises(NotFound, match="nothing"):
        world.plan(FOLLOW, {"workflowId": "nothing.yaml"})
    ctx, _ = world.plan(FOLLOW, BUILD)
    assert ctx.changes[0][4]["Ref"] == "main"
