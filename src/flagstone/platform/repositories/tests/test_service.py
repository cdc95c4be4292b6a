"""Hosted repositories as people and runs use them."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime

import pytest

from flagstone.contracts.repositories import MergeChangeRequest, OpenChangeRequest
from flagstone.foundation.audit import AuditQuery
from flagstone.kernel.actor import ANONYMOUS
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from flagstone.platform.repositories.store import metadata
from flagstone.testing.databases import schema_differences
from flagstone.toolkit.git import Author

from .conftest import ADA, MAX, VIC, person

FILES = {"score.yaml": (b"x: 1\n", False), "bin/run": (b"#!\n", True)}
BOB = Author("Bob", "bob@acme.example")


def create(service, name="acme/shop", actor=ADA, **options):
    return service.create(name, actor, files=FILES, owner="group:default/payments", **options)


def push(hosting, name="acme/shop", files=None, branch="main"):
    """What git does on the server when a push arrives, without anybody being told."""
    git = hosting.folders.open(name)
    head = git.head(branch)
    return git.commit_tree(
        files or {"score.yaml": (b"x: 2\n", False)},
        message="Change",
        author=BOB,
        branch=branch,
        date=datetime.now(UTC),
        parents=[head] if head else [],
    )


def test_the_migration_makes_the_tables_of_the_code(hosting):
    assert schema_differences(hosting.db, metadata) == []


def test_a_created_repository_can_be_looked_at(service):
    made = create(service, description="The shop")
    view = service.get("acme/shop", VIC)
    assert (view.name, view.description, view.head, view.owner) == (
        "acme/shop",
        "The shop",
        made.created_commit,
        "group:default/payments",
    )
    assert view.clone_url == "http://flagstone.example/git/acme/shop.git"
    assert [entry.path for entry in service.tree("acme/shop", VIC)] == ["bin", "bin/run", "score.yaml"]
    assert service.file("acme/shop", "/score.yaml", VIC).text == "x: 1\n"
    [commit] = service.commits("acme/shop", VIC)
    assert (commit.id, commit.author, commit.subject) == (made.created_commit, "Ada", "Initial commit")
    assert service.head("acme/shop") == made.created_commit


def test_files_are_materialised_for_a_release(service, tmp_path):
    made = create(service)
    assert service.materialise("acme/shop", made.created_commit, tmp_path / "release") == 2
    assert (tmp_path / "release/score.yaml").read_text() == "x: 1\n"


def test_the_same_step_creates_once(service):
    first = create(service, step_key="k1")
    again = create(service, step_key="k1")
    assert again == first
    assert service.made_by("k1") == first
    assert service.made_by("k2") is None


def test_a_taken_name_is_a_conflict_and_leaves_the_old_one_alone(service):
    made = create(service)
    with pytest.raises(Conflict, match="already"):
        create(service, step_key="other")
    assert service.head("acme/shop") == made.created_commit


def test_two_at_once_one_wins(service):
    from concurrent.futures import ThreadPoolExecutor

    def attempt(number):
        try:
            return create(service, step_key=f"k{number}").step_key
        except Conflict:
            return None

    with ThreadPoolExecutor(6) as pool:
        winners = [key for key in pool.map(attempt, range(6)) if key]
    assert len(winners) == 1
    assert service.find("acme/shop").step_key == winners[0]
    assert service.head("acme/shop") is not None


def test_a_kill_between_folder_and_row_is_made_whole_by_the_next_attempt(service, hosting):
    hosting.folders.open("acme/shop").init_bare("main")  # the folder was moved in place, the row never committed
    made = create(service, step_key="k1")
    assert service.head("acme/shop") == made.created_commit
    assert len(list((hosting.root / ".orphaned").iterdir())) == 1


def test_drafts_of_a_killed_server_are_swept(service, hosting):
    left = hosting.root / ".incoming" / "left"
    left.mkdir(parents=True)
    hosting.restart()
    with hosting.folders.draft() as working:
        working.init_bare("main")
        hosting.pushes.reconcile()
        assert working.head("main") is None
        assert working.path.is_dir()
        assert not left.exists()


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        "acme/",
        "/shop",
        "acme/shop/x",
        "Acme/Shop",
        "../shop",
        "acme/..",
        "acme/.git",
        "acme/x.git",
        "-a/b",
        "a/b\n",
        ".home/x",
    ],
)
def test_names_that_are_not_names_are_refused(service, name):
    with pytest.raises(Invalid) as caught:
        create(service, name)
    assert caught.value.code == "repositories.bad_name"


def test_what_is_not_there_says_how_to_find_what_is(service):
    for call in (
        lambda: service.get("acme/none", VIC),
        lambda: service.head("acme/none"),
        lambda: service.tree("acme/none", VIC),
        lambda: service.commits("acme/none", VIC),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert "/api/v1/repositories" in caught.value.hint


def test_an_empty_repository_says_so(service):
    service.create("acme/empty", ADA)
    assert service.tree("acme/empty", VIC) == []
    assert service.commits("acme/empty", VIC) == []
    assert service.get("acme/empty", VIC).head is None
    with pytest.raises(NotFound, match="no commit"):
        service.file("acme/empty", "x", VIC)


def test_binary_files_have_no_text(service):
    service.create("acme/bin", ADA, files={"a": (b"\0\1", False), "b": (b"\xff\xfe", False)})
    assert service.file("acme/bin", "a", VIC).text is None
    assert service.file("acme/bin", "b", VIC).text is None


def test_lists_are_paged_by_name(service):
    for number in range(5):
        service.create(f"acme/r{number}", ADA)
    page = service.list_repositories(VIC, limit=2)
    assert [item.name for item in page.items] == ["acme/r0", "acme/r1"]
    assert page.total == 5
    last = service.list_repositories(VIC, cursor=page.next_cursor, limit=3)
    assert [item.name for item in last.items] == ["acme/r2", "acme/r3", "acme/r4"]
    assert last.next_cursor is None


def test_a_push_is_an_event_with_the_paths_that_changed(service, hosting):
    made = create(service)
    after = push(hosting)
    assert hosting.pushes.sync("acme/shop", ADA) == 1
    assert hosting.pushes.sync("acme/shop", ADA) == 0
    [event] = hosting.heard()
    assert event.subject == "acme/shop"
    assert event.actor == "user:ada"
    assert event.data == {
        "repository": "acme/shop",
        "branch": "main",
        "before": made.created_commit,
        "after": after,
        "paths": ["bin/run", "score.yaml"],
    }
    assert service.get("acme/shop", VIC).head == after


def test_many_who_report_the_same_push_report_it_once(service, hosting):
    from concurrent.futures import ThreadPoolExecutor

    create(service)
    push(hosting)
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lambda _: hosting.pushes.sync("acme/shop", ADA), range(6))) == 1
    assert len(hosting.heard()) == 1


def test_a_push_that_a_kill_kept_from_being_reported_is_reported_after_the_restart(service, hosting):
    create(service)
    after = push(hosting)
    push(hosting, branch="feature", files={"new": (b"", False)})
    hosting.restart()
    hosting.pushes.reconcile()
    assert {(event.data["branch"], event.data["after"] == after) for event in hosting.heard()} == {
        ("main", True),
        ("feature", False),
    }
    hosting.restart()
    hosting.pushes.reconcile()
    assert len(hosting.heard()) == 2


def test_a_branch_that_was_deleted_is_an_event_too(service, hosting):
    create(service)
    push(hosting, branch="feature", files={"new": (b"", False)})
    hosting.pushes.sync("acme/shop", ADA)
    subprocess.run(
        ["git", "-C", hosting.folders.open("acme/shop").path, "branch", "-D", "feature"],
        check=True,
        capture_output=True,
    )
    assert hosting.pushes.sync("acme/shop", ADA) == 1
    assert hosting.heard()[-1].data["after"] is None


def test_deleting_takes_the_files_and_tells_everybody(service, hosting):
    create(service)
    assert "Files" in service.deletion("acme/shop", ADA)
    assert service.delete("acme/shop", ADA)
    assert not service.delete("acme/shop", ADA)
    assert service.deletion("acme/shop", ADA) == {}
    assert not hosting.folders.open("acme/shop").path.exists()
    assert [event.data for event in hosting.heard("repository.deleted")] == [{"repository": "acme/shop"}]
    assert create(service).created_commit


def test_who_may_do_what(service):
    create(service)
    stranger = person("eve", "developer", "group:default/search")
    with pytest.raises(Denied):
        create(service, "acme/other", VIC)
    with pytest.raises(Denied):
        service.delete("acme/shop", stranger)
    with pytest.raises(Denied):
        service.serve("acme/shop", VIC, write=True)
    with pytest.raises(Unauthenticated):
        service.serve("acme/shop", ANONYMOUS, write=False)
    with pytest.raises(Unauthenticated):
        service.list_repositories(ANONYMOUS)
    service.serve("acme/shop", VIC, write=False)
    service.serve("acme/shop", stranger, write=True)
    assert service.delete("acme/shop", MAX)


def test_every_change_is_in_the_audit(service, hosting):
    create(service)
    push(hosting)
    hosting.pushes.sync("acme/shop", ADA)
    service.delete("acme/shop", ADA)
    actions = [row.action for row in hosting.audit.list(AuditQuery()).items if row.outcome == "ok"]
    assert actions == [
        "repositories.repository.delete",
        "repositories.repository.push",
        "repositories.repository.create",
    ]


def test_a_change_that_fails_half_way_leaves_nothing(service, hosting, monkeypatch):
    monkeypatch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="space"):
        create(service)
    monkeypatch.undo()
    assert service.find("acme/shop") is None
    assert list((hosting.root / ".incoming").iterdir()) == []
    assert create(service)


def test_change_requests_are_kept_on_both_databases(hosting):
    create(hosting.service)
    git = hosting.folders.open("acme/shop")
    git.move("refs/heads/feature", git.head(), None)
    push(hosting, branch="feature")
    made = hosting.changes.open("acme/shop", OpenChangeRequest(title="T", branch="feature"), ADA, step_key="k")
    assert hosting.changes.open("acme/shop", OpenChangeRequest(title="T", branch="feature"), ADA, step_key="k") == made
    merged = hosting.changes.merge("acme/shop", 1, MergeChangeRequest(), ADA)
    assert hosting.changes.list("acme/shop", VIC, state=("merged",)).items[0].merge_commit == merged.merge_commit
