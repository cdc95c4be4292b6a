"""Change requests as a person meets them: the real portal, and a platform whose repositories are real."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import flagstone.foundation.audit as audit_slice
import flagstone.foundation.events as events_slice
import flagstone.platform.repositories as repositories_slice
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.platform.door.service.changes import LocalChangeRequests
from flagstone.platform.repositories import PERMISSIONS, ChangeService, RepositoryService
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service import Pushes
from flagstone.platform.repositories.store import ChangeStore, RepositoryStore
from flagstone.testing.databases import migrated
from flagstone.testing.people import OWNERS
from flagstone.testing.portal import PortalApp, RecordingGateway
from flagstone.toolkit.db import Database
from flagstone.toolkit.git import Author

from .conftest import Visit

SHOP = "acme/shop"
MAKER = Principal("user", "user:m", "M", role="admin")
HERE = f"/repositories/{SHOP}/changes"
TEXT = "".join(f"line {number}\n" for number in range(1, 31))
FILES = {"notes.txt": (TEXT.encode(), False), "README.md": (b"# Shop\n", False)}


class Hosting(LocalChangeRequests, RecordingGateway):
    """A door with real repositories behind it."""

    def __init__(self, folder):
        super().__init__()
        db = migrated(
            Database(f"sqlite:///{folder / 'platform.db'}"),
            **{
                name: Path(module.__file__).parent / "migrations"
                for name, module in (
                    ("repositories", repositories_slice),
                    ("audit", audit_slice),
                    ("events", events_slice),
                )
            },
        )
        audit, events = PlatformAudit(db), PlatformEvents(db)
        access = AccessService(audit)
        access.register(PERMISSIONS)
        self.folders = RepositoryFolders(folder / "repositories")
        store = RepositoryStore(db)
        pushes = Pushes(store, self.folders, audit=audit, events=events)
        around = {"access": access, "audit": audit, "events": events, "base_url": lambda: "http://test"}
        self.repositories = RepositoryService(store, self.folders, **around)
        self._changes = ChangeService(store, ChangeStore(db), self.folders, pushes, **around)
        self.get_repository = self.repositories.get
        self.repository_tree = self.repositories.tree
        self.repository_file = self.repositories.file
        self.repository_commits = self.repositories.commits


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    return Hosting(tmp_path_factory.mktemp("platform"))


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data", gateway, [])
    yield app
    app.stop()


@pytest.fixture(autouse=True)
def clean(gateway):
    """A fresh repository with a branch for each test."""
    git = gateway.folders.open(SHOP)
    gateway.repositories.delete(SHOP, MAKER)
    gateway.repositories.create(SHOP, MAKER, files=FILES, owner=OWNERS)
    git.move("refs/heads/feature", git.head("main"), None)
    commit(gateway, "feature", {"notes.txt": (TEXT.replace("line 7\n", "line <7>\n").encode(), False)})


def commit(gateway, branch, files):
    git = gateway.folders.open(SHOP)
    return git.commit_tree(
        files,
        message="Change",
        author=Author("Bob", "b@acme.example"),
        branch=branch,
        date=datetime.now(UTC),
        parents=[git.head(branch)],
        on_top=True,
    )


@pytest.fixture
def dora(portal):
    return (
        Visit(portal, portal.people.developer)
        if hasattr(portal.people, "developer")
        else Visit(portal, portal.people.dora)
    )


def open_one(dora, **fields):
    dora.post(
        f"{HERE}/new", **{"branch": "feature", "base": "main", "title": "Better", "text": "**Why** <b>x</b>", **fields}
    )
    return dora.answer.headers["location"]


def test_a_branch_is_proposed_looked_at_and_merged(dora, gateway):
    page = dora.get(f"/repositories/{SHOP}")
    assert "No open change requests" in page.text
    form = dora.get(page.select_one('a[href*="branch=feature"]')["href"])
    assert form.select_one("[name=title]")["value"] == "Change"
    place = open_one(dora)
    page = dora.get(place)
    assert page.select_one(".p-diff-add code").text == "line <7>"
    assert page.select_one(".p-prose strong").text == "Why"
    assert "No conflicts" in page.text
    assert "1 open change request" in dora.get(f"/repositories/{SHOP}").text
    assert "Better" in dora.get(HERE).text
    head = page.select_one("form[action$=merge] [name=head]")["value"]
    dora.post(f"{place}/merge", head=head, method="merge")
    assert "Merged by" in dora.get(place).text
    assert "Better" not in dora.get(HERE).select_one("main").text
    assert "Better" in dora.get(f"{HERE}?state=merged").text


def test_what_moved_meanwhile_is_not_merged_and_says_so(dora, gateway):
    place = open_one(dora)
    head = dora.get(place).select_one("form[action$=merge] [name=head]")["value"]
    commit(gateway, "feature", {"evil.txt": (b"evil\n", False)})
    page = dora.post(f"{place}/merge", 409, head=head)
    assert "other commits" in page.text
    assert "evil.txt" in page.text


def test_a_conflict_is_shown_without_a_button_to_merge(dora, gateway):
    place = open_one(dora)
    commit(gateway, "main", {"notes.txt": (TEXT.replace("line 7\n", "line VII\n").encode(), False)})
    page = dora.get(place)
    assert "Conflicts with main" in page.text
    assert "moved on by 1 commit since" in page.text
    assert page.select_one("form[action$=merge]") is None


def test_closing_and_opening_again(dora):
    place = open_one(dora)
    dora.post(f"{place}/close")
    assert "without merging" in dora.get(place).text
    dora.post(f"{place}/reopen")
    assert dora.get(place).select_one("form[action$=merge]")


def test_a_form_that_is_wrong_comes_back_filled_in(dora):
    page = dora.post(f"{HERE}/new", 422, branch="feature", base="main", title=" ", text="kept")
    assert "Give it a title" in page.text
    assert page.select_one("textarea").text.strip() == "kept"
    assert "no commit" in dora.post(f"{HERE}/new", 422, branch="main", base="feature", title="T").text
    assert dora.get(f"{HERE}/99", 404)


def test_a_viewer_looks_and_has_no_buttons(dora, portal):
    place = open_one(dora)
    viewer = Visit(portal, portal.people.viewer)
    page = viewer.get(place)
    assert page.select_one("main form") is None
    viewer.get(f"{HERE}/new", 403)
    viewer.post(f"{place}/merge", 403)


def test_lines_left_out_become_a_gap(dora, gateway):
    place = open_one(dora)
    rows = dora.get(place).select(".p-diff tr.p-diff-gap")
    assert [row.text for row in rows] == ["3 unchanged lines"]
