"""Repositories: seen, read, made and deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from flagstone.contracts.repositories import CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.repositories.model import Repository, check_name
from flagstone.platform.repositories.permissions import CREATE, DELETE, PUSH, READ
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.store import RepositoryStore
from flagstone.toolkit.git import Author, GitRepository

Content = Mapping[str, tuple[bytes, bool]]
"""Path to content and executable bit."""

_MAX_TEXT = 5_000_000


class RepositoryService:
    """Repositories by name (``project/name``). Every method with an ``actor`` decides for it."""

    def __init__(
        self,
        store: RepositoryStore,
        folders: RepositoryFolders,
        *,
        access: AccessService,
        audit: PlatformAudit,
        events: PlatformEvents,
        base_url: Callable[[], str],
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._folders = folders
        self._access = access
        self._audit = audit
        self._events = events
        self._base_url = base_url
        self._now = now

    def find(self, name: str) -> Repository | None:
        """One repository, without a decision: for the platform's own work."""
        return self._store.get(name)

    def made_by(self, step_key: str) -> Repository | None:
        """The repository that a step of a run made, if it did."""
        return self._store.by_step_key(step_key)

    def head(self, name: str, branch: str | None = None) -> str | None:
        """Commit id of a branch (default: the default branch); None while it has none. Raises NotFound."""
        repository = self._need(name)
        return self._folders.open(name).head(branch or repository.default_branch)

    def materialise(self, name: str, commit: str, folder: Path) -> int:
        """Write the files of a commit into a folder that is not there yet; returns how many.

        Raises NotFound, Conflict.
        """
        self._need(name)
        return self._folders.open(name).materialise(commit, folder)

    def list_repositories(
        self, actor: Principal, *, cursor: str | None = None, limit: int | None = None
    ) -> Page[RepositoryView]:
        """A page of repositories, by name."""
        self._access.check(actor, READ)
        size = clamp_limit(limit)
        after = str(decode_cursor(cursor)[0]) if cursor else ""
        found = self._store.page(after, size + 1)
        following = encode_cursor(found[size - 1].name) if len(found) > size else None
        return Page(tuple(self._view(item) for item in found[:size]), following, self._store.count())

    def get(self, name: str, actor: Principal) -> RepositoryView:
        """One repository. Raises NotFound."""
        return self._view(self._readable(name, actor))

    def tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        """All files and folders at a commit (default: head of the default branch); none while it is empty."""
        repository = self._readable(name, actor)
        git = self._folders.open(name)
        commit = commit or git.head(repository.default_branch)
        if commit is None:
            return []
        return [
            TreeEntry(
                path=entry.path,
                type=entry.type,
                size=entry.size,
                executable=entry.executable,
                object_id=entry.object_id,
            )
            for entry in git.tree(commit)
        ]

    def file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        """One file at a commit (default: head of the default branch). Raises NotFound."""
        repository = self._readable(name, actor)
        git = self._folders.open(name)
        commit = commit or git.head(repository.default_branch)
        if commit is None:
            raise NotFound(
                "repositories.empty",
                f"The repository {name} has no commit on {repository.default_branch!r} yet.",
                hint="Push one first.",
            )
        found = git.file(commit, path.strip("/"), max_bytes=_MAX_TEXT)
        text: str | None = None
        if found.data is not None and b"\0" not in found.data:
            with contextlib.suppress(UnicodeDecodeError):
                text = found.data.decode()
        return FileContent(path=found.path, commit=commit, text=text, size=found.size)

    def commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        """The newest commits of the default branch."""
        repository = self._readable(name, actor)
        git = self._folders.open(name)
        start = git.head(repository.default_branch)
        found = git.commits(clamp_limit(limit), start=start) if start else []
        return [
            CommitView(id=item.id, author=item.author.name, email=item.author.email, at=item.at, subject=item.subject)
            for item in found
        ]

    def check_free(self, name: str, actor: Principal) -> None:
        """Raise Denied, Invalid or Conflict when the actor could not create this repository."""
        check_name(name)
        self._access.check(actor, CREATE, resource=f"repository:{name}")
        if self._store.get(name) is not None:
            raise _taken(name)

    def create(
        self,
        name: str,
        actor: Principal,
        *,
        files: Content | None = None,
        message: str = "Initial commit",
        author: Author | None = None,
        description: str = "",
        owner: str | None = None,
        default_branch: str = "main",
        step_key: str | None = None,
    ) -> Repository:
        """Make a repository with its first commit: all of it or nothing, whenever the process is killed.

        With a ``step_key`` that made a repository before, that one is returned. Raises Conflict when the name is taken.
        """
        made = self._store.by_step_key(step_key) if step_key else None
        if made is not None:
            return made
        self.check_free(name, actor)
        with self._folders.draft() as draft:
            draft.init_bare(default_branch)
            commit = None
            if files is not None:
                who = author or Author(actor.name, "noreply@flagstone.invalid")
                commit = draft.commit_tree(files, message=message, author=who, branch=default_branch, date=self._now())
            now = self._now()
            item = Repository(
                name=name,
                description=description,
                owner=owner,
                default_branch=default_branch,
                branches={default_branch: commit} if commit else {},
                created_commit=commit,
                created_at=now,
                created_by=actor.id,
                updated_at=now,
                step_key=step_key,
            )
            self._add(item, draft, actor)
        return item

    def _add(self, item: Repository, draft: GitRepository, actor: Principal) -> None:
        with self._store.db.write():
            if not self._store.add(item):
                raise _taken(item.name)
            detail = {"owner": item.owner, "commit": item.created_commit}
            self._audit.record(actor, CREATE, f"repository:{item.name}", detail=detail)
            # Last: killed right after, there is a folder without a row, which the next attempt puts aside.
            self._folders.publish(draft, item.name)

    def deletion(self, name: str, actor: Principal) -> dict[str, str]:
        """What would be lost, in labelled words; empty when the repository is not there. Raises Denied."""
        repository = self._store.get(name)
        if repository is None:
            return {}
        self._access.check(actor, DELETE, owner=repository.owner, resource=f"repository:{name}")
        git = self._folders.open(name)
        if not git.exists():
            return {"Commits": "none"}
        head = git.head(repository.default_branch)
        newest = git.commits(1, start=head) if head else []
        facts = {"Branches": ", ".join(sorted(repository.branches)) or "none"}
        if newest:
            facts["Newest commit"] = f"{newest[0].id[:12]} {newest[0].subject} ({newest[0].author.name})"
            facts["Files"] = str(sum(1 for entry in git.tree(newest[0].id) if entry.type != "tree"))
        return facts

    def delete(self, name: str, actor: Principal) -> bool:
        """Delete a repository with all its commits; False when there was none."""
        repository = self._store.get(name)
        if repository is None:
            return False
        self._access.check(actor, DELETE, owner=repository.owner, resource=f"repository:{name}")
        with self._store.db.write():
            if not self._store.delete(name):
                return False
            self._audit.record(actor, DELETE, f"repository:{name}", detail={"branches": repository.branches})
            self._events.publish("repository.deleted", name, {"repository": name}, actor=actor.id)
        self._folders.put_aside(name)
        return True

    def serve(self, name: str, actor: Principal, *, write: bool) -> GitRepository:
        """The repository behind a clone or push. Raises Unauthenticated, Denied or NotFound."""
        repository = self._store.get(name)
        permission = PUSH if write else READ
        self._access.check(
            actor, permission, owner=repository.owner if repository else None, resource=f"repository:{name}"
        )
        return self._folders.open(self._need(name).name)

    def _view(self, item: Repository) -> RepositoryView:
        """A repository as seen through the door."""
        url = self.clone_url(item.name)
        return RepositoryView(
            name=item.name,
            description=item.description,
            default_branch=item.default_branch,
            clone_url=url,
            web_url=f"{self._base_url()}/repositories/{item.name}",
            owner=item.owner,
            head=item.head,
            updated_at=item.updated_at,
        )

    def clone_url(self, name: str) -> str:
        """The address to clone a repository from."""
        return f"{self._base_url()}/git/{name}.git"

    def _need(self, name: str) -> Repository:
        found = self._store.get(name)
        if found is None:
            raise NotFound(
                "repositories.not_found",
                f"There is no repository {name!r} in the built-in git hosting.",
                hint="Its name has the form project/name; GET /api/v1/repositories lists all.",
            )
        return found

    def _readable(self, name: str, actor: Principal) -> Repository:
        self._access.check(actor, READ, resource=f"repository:{name}")
        return self._need(name)


def _taken(name: str) -> Conflict:
    return Conflict(
        "repositories.name_taken",
        f"There is a repository {name!r} already.",
        hint="Choose another name, or delete the old repository first.",
    )
