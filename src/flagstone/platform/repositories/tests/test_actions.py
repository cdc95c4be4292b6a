"""The actions, in a run."""

from __future__ import annotations

import pytest

from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.platform.repositories.actions import DeleteRepository, PublishGit
from flagstone.sdk import FileStat
from flagstone.toolkit.files import Root

from .conftest import ADA, VIC


class Workspace(Root):
    """A folder as actions see it."""

    def walk(self, path=""):
        for entry in super().walk(path):
            yield FileStat(entry.path, entry.kind == "directory", entry.size, entry.executable)


class Context:
    """What a run gives its actions."""

    def __init__(self, folder, actor=ADA, step_key="step-1"):
        self.workspace = Workspace(folder)
        self.actor, self.step_key, self.repeated = actor, step_key, False
        self.owner = "group:default/payments"
        self.lines, self.changes = [], []

    def log(self, text, *, level="info"):
        self.lines.append(text)

    def change(self, kind, op, subject, detail="", **facts):
        self.changes.append((kind, op, subject, detail, facts))

    def file(self, path, op, before, after):
        """Shown in the tree of the plan's files."""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "workspace"
    for path, text in {
        "out/score.yaml": "x: 1\n",
        "out/src/app.py": "",
        "out/.git/config": "",
        "other.txt": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def publish(service):
    return PublishGit(service, "noreply@flagstone.invalid")


def inputs(action, **values):
    return action.Input.model_validate({"repoUrl": "flagstone?owner=acme&repo=shop", "sourcePath": "./out", **values})


def test_the_plan_shows_the_repository_and_changes_nothing(publish, service, folder):
    ctx = Context(folder)
    outputs = publish.plan(ctx, inputs(publish))
    [(kind, op, subject, detail, facts)] = ctx.changes
    assert (kind, op, subject) == ("repository", "create", "acme/shop")
    assert detail.startswith("2 files")
    assert facts["Branch"] == "main"
    assert outputs.model_dump(by_alias=True) == {
        "remoteUrl": "http://flagstone.example/git/acme/shop.git",
        "repoContentsUrl": "hosted:acme/shop/",
        "repository": "acme/shop",
        "commitHash": "",
    }
    assert service.find("acme/shop") is None


def test_running_it_publishes_the_folder_and_a_killed_run_finds_what_it_did(publish, service, folder):
    ctx = Context(folder)
    assert publish.probe(ctx, inputs(publish)) is None
    outputs = publish.run(
        ctx, inputs(publish, gitAuthorName="Bob", gitAuthorEmail="bob@acme.example", gitCommitMessage="Begin")
    )
    assert [entry.path for entry in service.tree("acme/shop", VIC) if entry.type == "blob"] == [
        "score.yaml",
        "src/app.py",
    ]
    [commit] = service.commits("acme/shop", VIC)
    assert (commit.author, commit.email, commit.subject) == ("Bob", "bob@acme.example", "Begin")
    assert outputs.commit_hash == commit.id
    assert publish.probe(ctx, inputs(publish)) == outputs
    assert publish.run(ctx, inputs(publish)) == outputs
    assert publish.probe(Context(folder, step_key="step-2"), inputs(publish)) is None


def test_a_name_that_exists_is_refused_in_the_plan_already(publish, folder):
    publish.run(Context(folder), inputs(publish))
    with pytest.raises(Conflict):
        publish.plan(Context(folder, step_key="step-2"), inputs(publish))
    with pytest.raises(Conflict):
        publish.run(Context(folder, step_key="step-2"), inputs(publish))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"repoUrl": "github.com?owner=acme&repo=shop"}, Invalid),
        ({"repoUrl": "flagstone?owner=acme"}, Invalid),
        ({"repoUrl": "flagstone?owner=..&repo=shop"}, Invalid),
        ({"repoUrl": "flagstone?owner=acme&repo=a/b"}, Invalid),
        ({"sourcePath": "nothing"}, (Invalid, NotFound)),
        ({"sourcePath": "../../etc"}, Invalid),
    ],
)
def test_bad_input_is_refused_in_plan_and_run(publish, service, folder, values, error):
    for call in (publish.plan, publish.run):
        with pytest.raises(error):
            call(Context(folder), inputs(publish, **values))
    assert service.list_repositories(VIC).items == ()


def test_a_viewer_may_not_publish(publish, folder):
    with pytest.raises(Denied):
        publish.plan(Context(folder, VIC), inputs(publish))
    with pytest.raises(Denied):
        publish.run(Context(folder, VIC), inputs(publish))


def test_undo_takes_it_back(publish, service, folder):
    ctx = Context(folder)
    outputs = publish.run(ctx, inputs(publish))
    publish.undo(ctx, inputs(publish), outputs.model_dump(by_alias=True))
    assert service.find("acme/shop") is None


def test_deleting_says_what_is_lost_and_may_be_repeated(publish, service, folder):
    publish.run(Context(folder), inputs(publish))
    delete = DeleteRepository(service)
    wanted = delete.Input(repository="acme/shop")
    ctx = Context(folder)
    assert delete.plan(ctx, wanted).deleted
    assert ctx.changes[0][1] == "delete"
    assert ctx.changes[0][4]["Files"] == "2"
    assert delete.run(ctx, wanted).deleted
    assert not delete.run(ctx, wanted).deleted
    assert not delete.plan(ctx, wanted).deleted


def test_who_does_not_own_it_may_not_delete_it(publish, service, folder):
    publish.run(Context(folder), inputs(publish))
    with pytest.raises(Denied):
        DeleteRepository(service).run(Context(folder, VIC), DeleteRepository.Input(repository="acme/shop"))
