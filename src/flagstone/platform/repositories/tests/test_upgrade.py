"""``flagstone:repository:upgrade``: a template's new version merged into what people made of the old one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flagstone.contracts.repositories import MergeChangeRequest
from flagstone.kernel.errors import Denied, NotFound
from flagstone.platform.repositories.actions import UpgradeRepository
from flagstone.platform.repositories.service import ChangeService, Proposals, Upgrades
from flagstone.toolkit.git import Author

from .conftest import ADA, MAX, VIC, Hosting
from .test_actions import Context

SHOP = "acme/shop"
LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
FIRST = {"app.py": LINES, "old.txt": "old\n", "README.md": "# Shop\n"}


@pytest.fixture
def hosting(sqlite_database, tmp_path):
    return Hosting(sqlite_database, tmp_path / "repositories")


@pytest.fixture
def base(hosting):
    files = {path: (text.encode(), False) for path, text in FIRST.items()}
    return hosting.service.create(SHOP, ADA, files=files, owner="group:default/payments").created_commit


@pytest.fixture
def action(hosting):
    parts = (hosting.changes, hosting.folders, hosting.pushes)
    return UpgradeRepository(Upgrades(*parts), Proposals(*parts), "noreply@flagstone.invalid")


@pytest.fixture
def rendered(tmp_path):
    """Writes what the template gives now."""
    numbers = iter(range(100))

    def write(files):
        folder = tmp_path / f"workspace-{next(numbers)}"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return write


def push(hosting, files):
    """What a person commits on top of the default branch."""
    git = hosting.folders.open(SHOP)
    edits = {path: None if text is None else (text.encode(), False) for path, text in files.items()}
    author, head = Author("Bob", "bob@acme.example"), git.head("main")
    git.commit_tree(
        edits, message="Mine", author=author, branch="main", date=datetime.now(UTC), parents=[head], on_top=True
    )
    hosting.pushes.sync(SHOP, ADA)


def inputs(action, base, **values):
    given = {"repository": SHOP, "baseCommit": base, "branchName": "upgrade/web", "title": "Upgrade to version 2"}
    return action.Input.model_validate({**given, **values})


def read(hosting, path, commit):
    return hosting.service.file(SHOP, path, VIC, commit=commit).text


NEW = {"app.py": LINES.replace("seven", "SEVEN"), "README.md": "# Shop\n", "new.txt": "new\n"}


def test_what_people_changed_is_kept_and_what_the_template_changed_comes(hosting, action, base, rendered):
    push(hosting, {"app.py": LINES.replace("one", "ONE"), "mine.txt": "mine\n"})
    ctx = Context(rendered(NEW))
    action.plan(ctx, inputs(action, base))
    shown = {subject: op for kind, op, subject, _, _ in ctx.changes if kind == "file"}
    assert shown == {"app.py": "change", "new.txt": "create", "old.txt": "delete"}
    assert [item.name for item in hosting.changes.branches(SHOP, VIC)] == ["main"]
    made = action.run(ctx, inputs(action, base))
    found = hosting.changes.get(SHOP, made.pull_request_number, VIC)
    assert (found.mergeable, found.branch, found.title) == ("clean", "upgrade/web", "Upgrade to version 2")
    assert read(hosting, "app.py", found.head) == LINES.replace("one", "ONE").replace("seven", "SEVEN")
    assert read(hosting, "mine.txt", found.head) == "mine\n"
    assert made.conflicts == []


def test_a_second_upgrade_starts_from_the_first_one(hosting, action, base, rendered):
    push(hosting, {"app.py": LINES.replace("one", "ONE")})
    first = action.run(Context(rendered(NEW)), inputs(action, base))
    hosting.changes.merge(SHOP, first.pull_request_number, MergeChangeRequest(), ADA)
    push(hosting, {"new.txt": "new, and changed by people\n"})
    again = {**NEW, "app.py": NEW["app.py"].replace("four", "FOUR")}
    ctx = Context(rendered(again), step_key="step-2")
    second = action.run(ctx, inputs(action, first.rendered_commit))
    found = hosting.changes.get(SHOP, second.pull_request_number, VIC)
    assert [file.path for file in found.files] == ["app.py"]
    assert found.branch == "upgrade/web-2"
    assert read(hosting, "new.txt", found.head) == "new, and changed by people\n"


def test_a_file_that_both_changed_is_marked_and_named(hosting, action, base, rendered):
    push(hosting, {"app.py": LINES.replace("seven", "7"), "old.txt": "still needed\n"})
    ctx = Context(rendered(NEW))
    planned = action.plan(ctx, inputs(action, base))
    assert planned.conflicts == ["app.py", "old.txt"]
    assert ctx.changes[0][4]["Conflicts"] == "app.py, old.txt"
    made = action.run(ctx, inputs(action, base, description="Made from **web**."))
    found = hosting.changes.get(SHOP, made.pull_request_number, VIC)
    assert made.conflicts == ["app.py", "old.txt"]
    assert "<<<<<<<" in read(hosting, "app.py", found.head)
    assert found.text.startswith("Made from **web**.")
    assert "- `app.py`\n- `old.txt`" in found.text
    assert action.probe(ctx, inputs(action, base)) == made


def test_a_repository_that_holds_everything_already_gets_no_change_request(hosting, action, base, rendered):
    push(hosting, {"app.py": NEW["app.py"], "new.txt": "new\n", "old.txt": None})
    ctx = Context(rendered(NEW))
    assert action.plan(ctx, inputs(action, base)).pull_request_number is None
    made = action.run(ctx, inputs(action, base))
    assert (made.pull_request_number, hosting.changes.list(SHOP, VIC).total) == (None, 0)
    later = action.run(
        Context(rendered({**NEW, "new.txt": "newer\n"}), step_key="step-2"), inputs(action, made.rendered_commit)
    )
    assert [file.path for file in hosting.changes.get(SHOP, later.pull_request_number, VIC).files] == ["new.txt"]


@pytest.mark.parametrize("where", ["settle", "open"])
def test_killed_half_way_it_goes_on_with_one_branch_and_one_change_request(
    hosting, action, base, rendered, monkeypatch, where
):
    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    ctx = Context(rendered(NEW))
    monkeypatch.setattr(ChangeService, where, dies)
    with pytest.raises(KeyboardInterrupt):
        action.run(ctx, inputs(action, base))
    monkeypatch.undo()
    assert action.probe(ctx, inputs(action, base)) is None
    made = action.run(ctx, inputs(action, base))
    assert action.run(ctx, inputs(action, base)) == made
    assert {item.name for item in hosting.changes.branches(SHOP, VIC)} == {"main", "upgrade/web"}
    assert hosting.changes.list(SHOP, VIC).total == 1


def test_undone_it_closes_the_change_request_and_takes_its_branch_away(hosting, action, base, rendered):
    ctx = Context(rendered(NEW))
    made = action.run(ctx, inputs(action, base))
    action.undo(ctx, inputs(action, base), made.model_dump(by_alias=True))
    assert hosting.changes.get(SHOP, made.pull_request_number, VIC).state == "closed"
    assert [item.name for item in hosting.changes.branches(SHOP, VIC)] == ["main"]


def test_it_is_refused_without_the_right_base_or_the_right_to_push(hosting, action, base, rendered):
    folder = rendered(NEW)
    with pytest.raises(Denied):
        action.plan(Context(folder, VIC), inputs(action, base))
    with pytest.raises(NotFound):
        action.plan(Context(folder, MAX), inputs(action, "0" * 39 + "1"))
    with pytest.raises(NotFound):
        action.plan(Context(folder), inputs(action, base, repository="acme/nothing"))
    other = hosting.service.create("acme/other", ADA, files={"x": (b"x", False)})
    with pytest.raises(NotFound):
        action.plan(Context(folder), inputs(action, other.created_commit))
