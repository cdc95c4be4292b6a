"""Change requests as people and runs use them, with real git."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flagstone.contracts.repositories import MergeChangeRequest, OpenChangeRequest
from flagstone.kernel.actor import ANONYMOUS
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from flagstone.toolkit.git import Author, GitRepository

from .conftest import ADA, MAX, VIC, Hosting

BOB = Author("Bob", "bob@acme.example")
LINES = "".join(f"line {number}\n" for number in range(1, 31))
FILES = {
    "notes.txt": (LINES.encode(), False),
    "logo.png": (b"\x89PNG\0one", False),
    "old name.py": (b"x = 1\n" * 20, False),
}
SHOP = "acme/shop"


def text(old, new):
    return LINES.replace(old, new).encode(), False


@pytest.fixture
def hosting(sqlite_database, tmp_path):
    found = Hosting(sqlite_database, tmp_path / "repositories")
    found.service.create(SHOP, ADA, files=FILES, owner="group:default/payments")
    return found


@pytest.fixture
def changes(hosting):
    return hosting.changes


def push(hosting, files, branch="feature", *, start="main"):
    """Commit these files on a branch (made from another one), as a push does, without anybody being told."""
    git = hosting.folders.open(SHOP)
    parent = git.head(branch) or git.head(start)
    if git.head(branch) is None:
        git.move(f"refs/heads/{branch}", parent, None)
    everything = {**FILES, **files}
    kept = {path: content for path, content in everything.items() if content is not None}
    return git.commit_tree(kept, message="Change", author=BOB, branch=branch, date=datetime.now(UTC), parents=[parent])


def ask(changes, branch="feature", actor=ADA, **values):
    return changes.open(SHOP, OpenChangeRequest(title="Better notes", branch=branch, **values), actor)


def heard(hosting):
    return [event.type for event in hosting.events.read() if event.type.startswith("repository.change")]


def test_a_change_request_shows_what_it_would_change(hosting, changes):
    push(
        hosting,
        {
            "notes.txt": text("line 7\n", "line seven\n"),
            "logo.png": (b"\x89PNG\0two", False),
            "old name.py": None,
            "new näme.py": FILES["old name.py"],
            "empty": (b"", False),
        },
    )
    made = ask(changes, text="Because.")
    assert (made.number, made.state, made.base, made.author_name, made.mergeable) == (1, "open", "main", "Ada", "clean")
    assert made.web_url == "http://flagstone.example/repositories/acme/shop/changes/1"
    assert (made.behind, made.can_fast_forward, [commit.subject for commit in made.commits]) == (0, True, ["Change"])
    files = {file.path: file for file in made.files}
    assert {path: file.op for path, file in files.items()} == {
        "empty": "create",
        "logo.png": "change",
        "new näme.py": "rename",
        "notes.txt": "change",
    }
    assert files["logo.png"].binary
    assert files["new näme.py"].before_path == "old name.py"
    assert files["empty"].hunks == ()
    notes = files["notes.txt"]
    assert (notes.additions, notes.deletions) == (1, 1)
    [hunk] = notes.hunks
    assert [(line.kind, line.text, line.old, line.new) for line in hunk.lines][3:5] == [
        ("remove", "line 7", 7, None),
        ("add", "line seven", None, 7),
    ]
    assert changes.get(SHOP, 1, VIC).may_write is False


def test_merging_makes_a_merge_commit_and_tells_everybody(hosting, changes):
    head = push(hosting, {"notes.txt": text("line 7\n", "line seven\n")})
    push(hosting, {"notes.txt": text("line 25\n", "line twenty-five\n")}, "main")
    made = ask(changes)
    assert (made.behind, made.mergeable, made.can_fast_forward) == (1, "clean", False)
    merged = changes.merge(SHOP, 1, MergeChangeRequest(head=head), ADA)
    assert (merged.state, merged.ended_by_name) == ("merged", "Ada")
    git = hosting.folders.open(SHOP)
    assert git.head("main") == merged.merge_commit
    content = git.file(merged.merge_commit, "notes.txt").data.decode()
    assert "line seven" in content
    assert "line twenty-five" in content
    assert hosting.service.commits(SHOP, VIC)[0].subject == "Merge change request #1: Better notes"
    assert heard(hosting) == ["repository.change.opened", "repository.change.merged"]
    assert hosting.heard()[-1].data["after"] == merged.merge_commit
    # It still shows what it changed, when its branch is long gone.
    git.move("refs/heads/feature", None, head)
    assert [file.path for file in changes.get(SHOP, 1, VIC).files] == ["notes.txt"]
    with pytest.raises(Conflict):
        changes.merge(SHOP, 1, MergeChangeRequest(), ADA)
    with pytest.raises(Conflict):
        changes.reopen(SHOP, 1, ADA)


def test_a_fast_forward_moves_the_branch_and_is_refused_when_the_base_moved_on(hosting, changes):
    head = push(hosting, {"a.txt": (b"a\n", False)})
    push(hosting, {"b.txt": (b"b\n", False)}, "other")
    ask(changes)
    ask(changes, "other")
    assert changes.merge(SHOP, 1, MergeChangeRequest(method="fast-forward"), ADA).merge_commit == head
    assert hosting.service.head(SHOP) == head
    with pytest.raises(Conflict, match="1 commits"):
        changes.merge(SHOP, 2, MergeChangeRequest(method="fast-forward"), ADA)
    assert changes.get(SHOP, 2, ADA).state == "open"


def test_a_conflict_names_the_files_and_changes_nothing(hosting, changes):
    push(hosting, {"notes.txt": text("line 7\n", "line seven\n")})
    main = push(hosting, {"notes.txt": text("line 7\n", "line VII\n")}, "main")
    made = ask(changes)
    assert (made.mergeable, made.conflicts) == ("conflict", ("notes.txt",))
    with pytest.raises(Conflict, match=r"notes\.txt"):
        changes.merge(SHOP, 1, MergeChangeRequest(), ADA)
    assert hosting.service.head(SHOP) == main
    assert changes.get(SHOP, 1, ADA).state == "open"


def test_what_was_not_looked_at_is_not_merged(hosting, changes):
    seen = push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    push(hosting, {"a.txt": (b"evil\n", False)})
    with pytest.raises(Conflict, match="other commits"):
        changes.merge(SHOP, 1, MergeChangeRequest(head=seen), ADA)


def test_a_merge_killed_after_the_branch_moved_is_written_down_once(hosting, changes, monkeypatch):
    push(hosting, {"a.txt": (b"a\n", False)})
    push(hosting, {"b.txt": (b"b\n", False)}, "main")
    ask(changes)
    real = GitRepository.move

    def dies(self, *args):
        real(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(GitRepository, "move", dies)
    with pytest.raises(KeyboardInterrupt):
        changes.merge(SHOP, 1, MergeChangeRequest(), ADA)
    monkeypatch.undo()
    head = hosting.service.head(SHOP)
    hosting.restart()
    found = hosting.changes.get(SHOP, 1, ADA)
    assert (found.state, found.mergeable) == ("open", "nothing")
    merged = hosting.changes.merge(SHOP, 1, MergeChangeRequest(), ADA)
    assert (merged.state, merged.merge_commit, hosting.service.head(SHOP)) == ("merged", head, head)
    assert [file.path for file in merged.files] == ["a.txt"]
    assert heard(hosting) == ["repository.change.opened", "repository.change.merged"]


def test_a_push_that_merges_it_closes_it(hosting, changes):
    head = push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    git = hosting.folders.open(SHOP)
    newer = push(hosting, {"a.txt": (b"more\n", False)})
    changes.settle(SHOP, ADA)
    assert changes.list(SHOP, VIC).items[0].head == newer
    git.move("refs/heads/main", newer, git.head("main"))
    changes.settle(SHOP, MAX)
    found = changes.get(SHOP, 1, VIC)
    assert (found.state, found.merge_commit, found.ended_by_name) == ("merged", newer, "Max")
    assert [len(found.commits), [file.path for file in found.files]] == [2, ["a.txt"]]
    assert head != newer


def test_closing_and_opening_again(hosting, changes):
    push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    assert changes.close(SHOP, 1, ADA).state == "closed"
    assert changes.close(SHOP, 1, ADA).state == "closed"
    second = ask(changes)
    assert second.number == 2
    with pytest.raises(Conflict, match="#2"):
        changes.reopen(SHOP, 1, ADA)
    changes.close(SHOP, 2, ADA)
    assert changes.reopen(SHOP, 1, ADA).state == "open"
    assert [item.number for item in changes.list(SHOP, VIC, state=("open",)).items] == [1]
    page = changes.list(SHOP, VIC, limit=1)
    assert ([item.number for item in page.items], page.total) == ([2], 2)
    assert [item.number for item in changes.list(SHOP, VIC, limit=1, cursor=page.next_cursor).items] == [1]


def test_what_cannot_be_opened_says_why(hosting, changes):
    push(hosting, {"a.txt": (b"a\n", False)})
    with pytest.raises(NotFound, match="'nowhere'"):
        ask(changes, "nowhere")
    with pytest.raises(Invalid, match="no commit"):
        ask(changes, "main", base="feature")
    with pytest.raises(Invalid):
        ask(changes, "--upload-pack=evil")
    git = hosting.folders.open(SHOP)
    git.commit_tree({"x": (b"", False)}, message="Alone", author=BOB, branch="alone", date=datetime.now(UTC))
    with pytest.raises(Invalid, match="in common"):
        ask(changes, "alone")
    ask(changes)
    with pytest.raises(Conflict, match="#1"):
        ask(changes)


def test_a_deleted_branch_is_said_to_be_gone(hosting, changes):
    head = push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    hosting.folders.open(SHOP).move("refs/heads/feature", None, head)
    found = changes.get(SHOP, 1, ADA)
    assert (found.mergeable, [file.path for file in found.files]) == ("gone", ["a.txt"])
    with pytest.raises(NotFound):
        changes.merge(SHOP, 1, MergeChangeRequest(), ADA)
    assert changes.close(SHOP, 1, ADA).state == "closed"


def test_who_may_not_push_may_only_look(hosting, changes):
    push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    assert changes.get(SHOP, 1, VIC).title == "Better notes"
    for call in (
        lambda: ask(changes, actor=VIC),
        lambda: changes.merge(SHOP, 1, MergeChangeRequest(), VIC),
        lambda: changes.close(SHOP, 1, VIC),
        lambda: changes.reopen(SHOP, 1, VIC),
    ):
        with pytest.raises(Denied):
            call()
    with pytest.raises(Unauthenticated):
        changes.list(SHOP, ANONYMOUS)


def test_branches_are_listed_with_the_default_one_first(hosting, changes):
    push(hosting, {"a.txt": (b"a\n", False)}, "a/feature")
    found = changes.branches(SHOP, VIC)
    assert [(item.name, item.is_default, item.subject) for item in found] == [
        ("main", True, "Initial commit"),
        ("a/feature", False, "Change"),
    ]


def test_a_repository_made_again_under_its_name_has_no_change_requests(hosting, changes):
    push(hosting, {"a.txt": (b"a\n", False)})
    ask(changes)
    hosting.service.delete(SHOP, MAX)
    hosting.service.create(SHOP, ADA, files=FILES)
    assert changes.list(SHOP, VIC).items == ()


def test_a_change_of_very_many_lines_is_listed_without_them(hosting, changes):
    push(hosting, {"big.txt": (b"x\n" * 25_000, False), "a.txt": (b"a\n", False)})
    found = {file.path: file for file in ask(changes).files}
    assert (found["big.txt"].cut, found["big.txt"].additions, found["a.txt"].hunks) == (True, 25_000, ())


def test_a_file_that_becomes_a_link_is_one_file(hosting, changes):
    git = hosting.folders.open(SHOP)
    push(hosting, {"zz.txt": (b"a\n", False)})
    head = git.head("feature")
    blob = git.command("hash-object", "-w", "--stdin", input=b"logo.png").out.decode().strip()
    tree = git.command("ls-tree", head).out.replace(b"100644 blob", b"100644 blob")
    lines = [line for line in tree.splitlines() if b"notes.txt" not in line] + [
        f"120000 blob {blob}\tnotes.txt".encode()
    ]
    made = git.command("mktree", input=b"\n".join(sorted(lines, key=lambda line: line.split(b"\t")[1])) + b"\n").out
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    commit = git.command("commit-tree", made.decode().strip(), "-p", head, "-m", "Link", more=who).out.decode().strip()
    git.move("refs/heads/feature", commit, head)
    found = {file.path: file for file in ask(changes).files}
    assert found["notes.txt"].op == "change"
    assert found["zz.txt"].hunks[0].lines[0].text == "a"
