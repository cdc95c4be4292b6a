"""Change requests: opened, looked at, merged, closed.

Git says where branches stand; the database says what people asked for. Killed between moving a branch and writing that
down, the next look finds that the base holds everything and writes it then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flagstone.contracts.repositories import (
    BranchView,
    ChangeRequestDetail,
    ChangeRequestView,
    MergeChangeRequest,
    OpenChangeRequest,
)
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.repositories.model import ChangeRequest, ChangeState, Repository
from flagstone.platform.repositories.permissions import PUSH, READ
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service.comparing import Comparison, compare, file_views
from flagstone.platform.repositories.service.pushes import Pushes
from flagstone.platform.repositories.store import ChangeStore, RepositoryStore
from flagstone.toolkit.git import Author, GitChanges, GitRepository

_MOST_BRANCHES = 500


class ChangeService:
    """Change requests by repository name and number. Every method with an ``actor`` decides for it.

    ``author_email`` is the address of people in merge commits.
    """

    def __init__(
        self,
        store: RepositoryStore,
        changes: ChangeStore,
        folders: RepositoryFolders,
        pushes: Pushes,
        *,
        access: AccessService,
        audit: PlatformAudit,
        events: PlatformEvents,
        base_url: Callable[[], str],
        author_email: str = "noreply@flagstone.invalid",
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._changes = changes
        self._folders = folders
        self._pushes = pushes
        self._access = access
        self._audit = audit
        self._events = events
        self._base_url = base_url
        self._author_email = author_email
        self._now = now

    def branches(self, name: str, actor: Principal) -> list[BranchView]:
        """Branches of a repository, the default one first, then by name."""
        repository, git = self._readable(name, actor)
        found = [
            BranchView(
                name=tip.branch,
                commit=tip.commit.id,
                is_default=tip.branch == repository.default_branch,
                author=tip.commit.author.name,
                subject=tip.commit.subject,
                at=tip.commit.at,
            )
            for tip in GitChanges(git).tips(_MOST_BRANCHES)
        ]
        return sorted(found, key=lambda item: (not item.is_default, item.name))

    def list(
        self,
        name: str,
        actor: Principal,
        *,
        state: tuple[ChangeState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[ChangeRequestView]:
        """A page of change requests, newest first."""
        self._readable(name, actor)
        size = clamp_limit(limit)
        before = int(str(decode_cursor(cursor)[0])) if cursor else None
        found = self._changes.page(name, state, before, size + 1)
        following = encode_cursor(found[size - 1].number) if len(found) > size else None
        return Page(tuple(self._view(item) for item in found[:size]), following, self._changes.count(name, state))

    def get(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """One with its difference, as the branches stand now. Raises NotFound."""
        repository, git = self._readable(name, actor)
        item = self._need(name, number)
        return self._detail(repository, git, item, actor)

    def made_by(self, step_key: str) -> ChangeRequest | None:
        """The one that a step of a run opened, if it did."""
        return self._changes.by_step_key(step_key)

    def find_open(self, name: str, branch: str, base: str) -> ChangeRequest | None:
        """The open one for two branches, without a decision: for the platform's own work."""
        return self._changes.open_for(name, branch, base)

    def check_writable(self, name: str, actor: Principal) -> Repository:
        """The repository, if the actor may push to it. Raises Denied, NotFound."""
        return self._writable(name, actor)[0]

    def open(
        self, name: str, wanted: OpenChangeRequest, actor: Principal, *, step_key: str | None = None
    ) -> ChangeRequestDetail:
        """Open one; with a ``step_key`` that opened one before, that one is returned.

        Raises Conflict when there is an open one for these branches, Invalid when there is nothing to take over.
        """
        repository, git = self._writable(name, actor)
        made = self._changes.by_step_key(step_key) if step_key else None
        if made is not None:
            return self._detail(repository, git, made, actor)
        base = wanted.base or repository.default_branch
        head = _head(git, name, wanted.branch)
        found = compare(git, head, _head(git, name, base))
        if found.mergeable == "nothing":
            raise Invalid(
                "repositories.nothing_to_merge",
                f"The branch {wanted.branch!r} of {name} has no commit that {base!r} does not have.",
                hint="Push commits to the branch first.",
            )
        now = self._now()
        item = ChangeRequest(
            repository=name,
            number=0,
            title=wanted.title.strip(),
            text=wanted.text,
            branch=wanted.branch,
            base=base,
            state="open",
            head=head,
            author=actor.id,
            author_name=actor.name,
            created_at=now,
            updated_at=now,
            base_commit=found.ancestor,
            step_key=step_key,
        )
        with self._store.db.write():
            self._locked(name)
            self._refuse_second(item)
            item = self._changes.add(item)
            self._tell(item, "opened", actor)
        git.keep(f"changes/{item.number}", head)
        return self._detail(repository, git, item, actor)

    def merge(self, name: str, number: int, wanted: MergeChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Merge it by a merge commit, or by moving the base branch on. Raises Conflict when that cannot be done."""
        repository, git = self._writable(name, actor)
        item = self._open(name, number)
        head, base_head = _head(git, name, item.branch), _head(git, name, item.base)
        if wanted.head and wanted.head != head:
            raise Conflict(
                "repositories.change_moved",
                f"The branch {item.branch!r} has other commits than those that were looked at.",
                hint="Look at the change request again, then merge it.",
            )
        found = compare(git, head, base_head)
        target = self._target(git, item, found, wanted, actor)
        # When the base holds everything already, where they parted is what was seen before.
        before = item.base_commit if found.mergeable == "nothing" else found.ancestor
        ended = replace(item, head=head, base_commit=before, merge_commit=target, state="merged")
        with self._store.db.write():
            self._locked(name)
            self._open(name, number)
            item = self._end(ended, "merged", actor)
            git.keep(f"changes/{number}", head)
            # Last: killed right after, the base holds everything, and the next look writes that down.
            if target != base_head:
                git.move(f"refs/heads/{item.base}", target, base_head)
        self._pushes.sync(name, actor)
        return self._detail(repository, git, item, actor)

    def close(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Close it without merging; one that is closed stays closed. Raises Conflict when it was merged."""
        repository, git = self._writable(name, actor)
        item = self._need(name, number)
        if item.state == "closed":
            return self._detail(repository, git, item, actor)
        head, base_head = git.head(item.branch) or item.head, git.head(item.base)
        ancestor = compare(git, head, base_head).ancestor if base_head else item.base_commit
        with self._store.db.write():
            self._locked(name)
            self._open(name, number)
            item = self._end(replace(item, head=head, base_commit=ancestor, state="closed"), "closed", actor)
        git.keep(f"changes/{number}", head)
        return self._detail(repository, git, item, actor)

    def reopen(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Open a closed one again. Raises Conflict when it was merged, or another one is open for its branches."""
        repository, git = self._writable(name, actor)
        item = self._need(name, number)
        if item.state == "open":
            return self._detail(repository, git, item, actor)
        if item.state == "merged":
            raise _not_open(item)
        head = _head(git, name, item.branch)
        again = replace(
            item,
            state="open",
            head=head,
            ended_by="",
            ended_by_name="",
            ended_at=None,
            updated_at=self._now(),
        )
        with self._store.db.write():
            self._locked(name)
            self._refuse_second(again)
            self._changes.save(again)
            self._tell(again, "opened", actor)
        return self._detail(repository, git, again, actor)

    def settle(self, name: str, actor: Principal) -> None:
        """After a push: note new heads, and which requests were merged by it."""
        git = self._folders.open(name)
        for item in self._changes.page(name, ("open",), None, _MOST_BRANCHES):
            head, base_head = git.head(item.branch), git.head(item.base)
            if head is None or base_head is None:
                continue
            found = compare(git, head, base_head)
            with self._store.db.write():
                current = self._changes.get(name, item.number)
                if current is None or current.state != "open":
                    continue
                if found.mergeable == "nothing":
                    self._end(replace(current, head=head, merge_commit=base_head, state="merged"), "merged", actor)
                elif (head, found.ancestor) != (current.head, current.base_commit):
                    now = self._now()
                    self._changes.save(replace(current, head=head, base_commit=found.ancestor, updated_at=now))
            git.keep(f"changes/{item.number}", head)

    def _target(
        self, git: GitRepository, item: ChangeRequest, found: Comparison, wanted: MergeChangeRequest, actor: Principal
    ) -> str:
        """The commit that the base branch is to stand at."""
        if found.mergeable == "nothing":
            return found.base_head
        if found.mergeable == "conflict":
            raise Conflict(
                "repositories.merge_conflict",
                f"{item.branch!r} cannot be merged into {item.base!r}: both changed {', '.join(found.conflicts[:10])}.",
                hint=f"Merge {item.base} into the branch, resolve the conflicts there, and push.",
            )
        if wanted.method == "fast-forward":
            if found.behind:
                raise Conflict(
                    "repositories.cannot_fast_forward",
                    f"{item.base!r} has {found.behind} commits that {item.branch!r} does not have.",
                    hint="Use a merge commit, or bring the branch up to date first.",
                )
            return found.head
        subject = f"Merge change request #{item.number}: {item.title}"
        message = wanted.message.strip() or "\n\n".join(part for part in (subject, item.text.strip()) if part)
        parents = (found.base_head, found.head)
        author = Author(actor.name, self._author_email)
        return GitChanges(git).commit(found.tree, parents=parents, message=message, author=author, date=self._now())

    def _end(self, item: ChangeRequest, word: str, actor: Principal) -> ChangeRequest:
        now = self._now()
        ended = replace(item, ended_by=actor.id, ended_by_name=actor.name, ended_at=now, updated_at=now)
        self._changes.save(ended)
        self._tell(ended, word, actor)
        return ended

    def _tell(self, item: ChangeRequest, word: str, actor: Principal) -> None:
        data = {
            "repository": item.repository,
            "number": item.number,
            "title": item.title,
            "branch": item.branch,
            "base": item.base,
            "head": item.head,
        }
        if item.merge_commit:
            data["merge_commit"] = item.merge_commit
        self._events.publish(f"repository.change.{word}", f"{item.repository}#{item.number}", data, actor=actor.id)
        resource = f"repository:{item.repository}#{item.number}"
        self._audit.record(actor, f"repositories.change.{word}", resource, detail=data)

    def _view(self, item: ChangeRequest) -> ChangeRequestView:
        return ChangeRequestView(**self._members(item))

    def _members(self, item: ChangeRequest) -> dict[str, object]:
        kept = ("repository", "number", "title", "text", "branch", "base", "state", "head", "author", "author_name")
        more = ("created_at", "updated_at", "merge_commit", "ended_by_name", "ended_at")
        url = f"{self._base_url()}/repositories/{item.repository}/changes/{item.number}"
        return {name: getattr(item, name) for name in (*kept, *more)} | {"web_url": url}

    def _detail(
        self, repository: Repository, git: GitRepository, item: ChangeRequest, actor: Principal
    ) -> ChangeRequestDetail:
        members = self._members(item)
        members["may_write"] = self._access.decide(actor, PUSH, owner=repository.owner).allowed
        if item.state == "open":
            head, base_head = git.head(item.branch), git.head(item.base)
            if base_head is None:
                return ChangeRequestDetail(**members, mergeable="gone")
            found = compare(git, head or item.head, base_head)
            members |= {
                "head": found.head,
                "mergeable": found.mergeable if head else "gone",
                "conflicts": found.conflicts,
                "behind": found.behind,
                "can_fast_forward": head is not None and found.mergeable == "clean" and not found.behind,
            }
            item = replace(item, head=found.head, base_commit=found.ancestor)
        if item.base_commit is None:
            return ChangeRequestDetail(**members)
        commits, files = file_views(git, item.base_commit, item.head)
        return ChangeRequestDetail(**members, commits=commits, files=files)

    def _refuse_second(self, item: ChangeRequest) -> None:
        other = self._changes.open_for(item.repository, item.branch, item.base)
        if other is not None:
            raise Conflict(
                "repositories.change_exists",
                f"Change request #{other.number} of {item.repository} asks to merge {item.branch!r} already.",
                hint="Push more commits to its branch, or close it first.",
            )

    def _open(self, name: str, number: int) -> ChangeRequest:
        item = self._need(name, number)
        if item.state != "open":
            raise _not_open(item)
        return item

    def _need(self, name: str, number: int) -> ChangeRequest:
        found = self._changes.get(name, number)
        if found is None:
            raise NotFound("repositories.no_change", f"There is no change request #{number} in {name}.")
        return found

    def _locked(self, name: str) -> None:
        if self._store.get(name, lock=True) is None:
            raise _no_repository(name)

    def _readable(self, name: str, actor: Principal) -> tuple[Repository, GitRepository]:
        self._access.check(actor, READ, resource=f"repository:{name}")
        return self._both(self._store.get(name), name)

    def _writable(self, name: str, actor: Principal) -> tuple[Repository, GitRepository]:
        found = self._store.get(name)
        self._access.check(actor, PUSH, owner=found.owner if found else None, resource=f"repository:{name}")
        return self._both(found, name)

    def _both(self, found: Repository | None, name: str) -> tuple[Repository, GitRepository]:
        if found is None:
            raise _no_repository(name)
        return found, self._folders.open(name)


def _head(git: GitRepository, name: str, branch: str) -> str:
    found = git.head(branch)
    if found is None:
        raise NotFound(
            "repositories.no_branch",
            f"There is no branch {branch!r} in {name}.",
            hint="Push it first; GET …/branches lists all.",
        )
    return found


def _no_repository(name: str) -> NotFound:
    return NotFound("repositories.not_found", f"There is no repository {name!r} in the built-in git hosting.")


def _not_open(item: ChangeRequest) -> Conflict:
    return Conflict(
        "repositories.change_not_open", f"Change request #{item.number} of {item.repository} is {item.state} already."
    )
