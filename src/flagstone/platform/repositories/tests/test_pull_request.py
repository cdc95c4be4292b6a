"""``publish:git:pull-request`` in a run."""

from __future__ import annotations

import pytest

from flagstone.contracts.repositories import MergeChangeRequest
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.platform.repositories.actions import PublishPullRequest
from flagstone.platform.repositories.service import ChangeService, Proposals

from .conftest import ADA, VIC, Hosting
from .test_actions import Context
from .test_changes import push

SHOP = "acme/shop"
BEFORE = {"deploy/score.yaml": (b"a: 1\nb: 2\n", False), "old.txt": (b"old\n", False), "run": (b"#!\n", True)}


@pytest.fixture
def hosting(sqlite_database, tmp_path):
    found = Hosting(sqlite_database, tmp_path / "repositories")
    found.service.create(SHOP, ADA, files=BEFORE, owner="group:default/payments")
    return found


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "workspace"
    for path, text in {"score.yaml": "a: 1\nb: 3\n", "new/db.yaml": "kind: postgres\n"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def action(hosting):
    return PublishPullRequest(Proposals(hosting.changes, hosting.folders, hosting.pushes), "noreply@flagstone.invalid")


def inputs(action, **values):
    given = {"repoUrl": "flagstone?owner=acme&repo=shop", "branchName": "add-db", "title": "Add", "description": "Why"}
    return action.Input.model_validate({**given, "targetPath": "deploy", **values})


def test_the_plan_shows_the_difference_and_makes_no_branch(action, hosting, folder):
    ctx = Context(folder)
    planned = action.plan(ctx, inputs(action, filesToDelete=["old.txt", "not there"]))
    shown = {subject: (op, detail, facts) for _, op, subject, detail, facts in ctx.changes}
    assert shown[SHOP][2] == {"Branch": "add-db", "Into": "main"}
    assert shown["deploy/new/db.yaml"][:2] == ("create", "+1 −0 lines")
    assert shown["deploy/score.yaml"][2]["Diff"].endswith(" a: 1\n-b: 2\n+b: 3")
    assert shown["old.txt"][0] == "delete"
    assert "not there" not in shown
    assert planned.pull_request_number is None
    assert [item.name for item in hosting.changes.branches(SHOP, VIC)] == ["main"]


def test_running_it_opens_a_change_request_with_only_what_differs(action, hosting, folder):
    (folder / "same.txt").write_text("old\n")
    made = action.run(Context(folder), inputs(action, filesToDelete=["old.txt"], commitMessage="Add a database"))
    found = hosting.changes.get(SHOP, made.pull_request_number, VIC)
    assert {file.path for file in found.files} == {"deploy/new/db.yaml", "deploy/score.yaml", "deploy/same.txt"}
    assert (found.title, found.text, found.author_name, found.branch) == ("Add", "Why", "Ada", "add-db")
    assert found.commits[0].subject == "Add a database"
    assert "run" in {entry.path for entry in hosting.service.tree(SHOP, VIC, commit=found.head) if entry.executable}
    assert made.remote_url == "http://flagstone.example/repositories/acme/shop/changes/1"
    assert [event.data["branch"] for event in hosting.heard()][-1] == "add-db"


@pytest.mark.parametrize("where", ["settle", "open"])
def test_killed_between_commit_and_change_request_it_goes_on_with_one_of_each(
    action, hosting, folder, monkeypatch, where
):
    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ChangeService, where, dies)
    with pytest.raises(KeyboardInterrupt):
        action.run(Context(folder), inputs(action))
    monkeypatch.undo()
    assert action.probe(Context(folder), inputs(action)) is None
    made = action.run(Context(folder), inputs(action))
    assert action.probe(Context(folder), inputs(action)) == made
    assert action.run(Context(folder), inputs(action)) == made
    found = hosting.changes.get(SHOP, 1, VIC)
    assert (len(found.commits), hosting.changes.list(SHOP, VIC).total) == (1, 1)


def test_nothing_to_change_says_so_and_opens_nothing(action, hosting, folder):
    made = action.run(Context(folder), inputs(action))
    hosting.changes.merge(SHOP, made.pull_request_number, MergeChangeRequest(), ADA)
    ctx = Context(folder, step_key="step-2")
    wanted = inputs(action, branchName="again")
    assert action.plan(ctx, wanted).pull_request_number is None
    assert [op for _, op, *_ in ctx.changes] == ["none"]
    assert action.run(ctx, wanted).pull_request_number is None
    assert "already" in ctx.lines[-1]
    assert action.run(Context(folder, step_key="3"), inputs(action, branchName="again", createWhenEmpty=True))
    assert hosting.changes.get(SHOP, 2, VIC).files == ()


def test_a_branch_with_other_files_is_refused_unless_it_is_to_be_updated(action, hosting, folder):
    push(hosting, {"someone.txt": (b"else\n", False)}, "add-db")
    for call in (action.plan, action.run):
        with pytest.raises(Conflict, match="update"):
            call(Context(folder), inputs(action))
    made = action.run(Context(folder), inputs(action, update=True))
    (folder / "more.txt").write_text("more\n")
    again = action.run(Context(folder, step_key="step-2"), inputs(action, update=True))
    assert again.pull_request_number == made.pull_request_number
    assert {"someone.txt", "deploy/more.txt"} <= {file.path for file in hosting.changes.get(SHOP, 1, VIC).files}


def test_undo_closes_it_and_deletes_the_branch_nobody_pushed_to(action, hosting, folder):
    made = action.run(Context(folder), inputs(action)).model_dump(by_alias=True)
    action.undo(Context(folder), inputs(action), made)
    action.undo(Context(folder), inputs(action), made)
    assert hosting.changes.get(SHOP, 1, VIC).state == "closed"
    assert [item.name for item in hosting.changes.branches(SHOP, VIC)] == ["main"]
    second = action.run(Context(folder, step_key="b"), inputs(action)).model_dump(by_alias=True)
    push(hosting, {"someone.txt": (b"else\n", False)}, "add-db")
    action.undo(Context(folder, step_key="b"), inputs(action), second)
    assert "add-db" in [item.name for item in hosting.changes.branches(SHOP, VIC)]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"repoUrl": "github.com?owner=acme&repo=shop"}, Invalid),
        ({"repoUrl": "flagstone?owner=acme&repo=none"}, NotFound),
        ({"targetPath": "../out"}, Invalid),
        ({"targetPath": ".git"}, Invalid),
        ({"branchName": "-x"}, Invalid),
        ({"branchName": "main"}, Conflict),
        ({"targetBranchName": "nowhere"}, NotFound),
        ({"sourcePath": "nothing"}, (Invalid, NotFound)),
    ],
)
def test_bad_input_is_refused(action, hosting, folder, values, error):
    with pytest.raises(error):
        action.run(Context(folder), inputs(action, **values))
    assert hosting.changes.list(SHOP, VIC).items == ()


def test_a_viewer_may_not(action, folder):
    for call in (action.plan, action.run):
        with pytest.raises(Denied):
            call(Context(folder, VIC), inputs(action))


def test_files_can_be_deleted_without_any_to_add(action, hosting, tmp_path):
    (tmp_path / "empty").mkdir()
    made = action.run(Context(tmp_path / "empty"), inputs(action, filesToDelete=["old.txt"]))
    assert [file.op for file in hosting.changes.get(SHOP, made.pull_request_number, VIC).files] == ["delete"]
