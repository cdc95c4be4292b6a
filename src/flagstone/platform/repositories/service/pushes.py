"""Telling everybody what was pushed, exactly once, whenever the server is killed.

The database holds where each branch stood when events were last written; git itself says where it stands now.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.platform.repositories.model import Repository
from flagstone.platform.repositories.permissions import PUSH
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.store import RepositoryStore
from flagstone.toolkit.git import GitRepository

log = logging.getLogger("flagstone.repositories")

_MAX_PATHS = 2_000
_HEADS = "refs/heads/"


class Pushes:
    """Compares and reports."""

    def __init__(
        self,
        store: RepositoryStore,
        folders: RepositoryFolders,
        *,
        audit: PlatformAudit,
        events: PlatformEvents,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._folders = folders
        self._audit = audit
        self._events = events
        self._now = now

    def sync(self, name: str, actor: Principal) -> int:
        """Write an event for each branch that moved since the last look; returns how many. Nothing moved is fine."""
        git = self._folders.open(name)
        while True:
            repository = self._store.get(name)
            if repository is None or not git.exists():
                return 0
            # Git is asked before the transaction begins: others must not wait for it.
            now = _branches(git)
            pushes = _pushes(git, repository, now)
            if not pushes:
                return 0
            with self._store.db.write():
                current = self._store.get(name, lock=True)
                if current is None or current.branches != repository.branches:
                    continue  # somebody else reported in the meantime
                for push in pushes:
                    self._events.publish("repository.pushed", name, push, actor=actor.id)
                    detail = {key: value for key, value in push.items() if key != "paths"}
                    self._audit.record(actor, PUSH, f"repository:{name}", detail=detail)
                self._store.set_branches(name, now, self._now())
            return len(pushes)

    def reconcile(self) -> None:
        """After a start: clear what a killed process left, report pushes that nobody heard of, tidy repositories."""
        self._folders.sweep()
        after = ""
        while found := self._store.page(after, 200):
            for repository in found:
                try:
                    self.sync(repository.name, system("repositories"))
                    self._folders.open(repository.name).tidy()
                except FlagstoneError:
                    log.exception("the repository %s could not be looked at", repository.name)
            after = found[-1].name


def _branches(git: GitRepository) -> dict[str, str]:
    return {ref.removeprefix(_HEADS): commit for ref, commit in git.refs().items() if ref.startswith(_HEADS)}


def _pushes(git: GitRepository, repository: Repository, now: Mapping[str, str]) -> list[dict[str, object]]:
    """The data of an event for each branch that does not stand where it was last seen."""
    found: list[dict[str, object]] = []
    for branch in sorted({*now, *repository.branches}):
        before, after = repository.branches.get(branch), now.get(branch)
        if before != after:
            paths = _changed(git, before, after)
            found.append(
                {"repository": repository.name, "branch": branch, "before": before, "after": after, "paths": paths}
            )
    return found


def _changed(git: GitRepository, before: str | None, after: str | None) -> list[str]:
    if after is None:
        return []
    try:
        return git.changed_paths(before, after)[:_MAX_PATHS]
    except NotFound:
        return git.changed_paths(None, after)[:_MAX_PATHS]  # a forced push, and the old commit is gone
