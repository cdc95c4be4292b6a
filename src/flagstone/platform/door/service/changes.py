"""The part of the door that is about branches and change requests."""

from __future__ import annotations

from flagstone.contracts.repositories import (
    BranchView,
    ChangeRequestDetail,
    ChangeRequestView,
    ChangeState,
    MergeChangeRequest,
    OpenChangeRequest,
)
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.repositories import ChangeService


class LocalChangeRequests:
    """See ``flagstone.contracts.repositories.ChangeRequestDoor``."""

    _changes: ChangeService

    def list_branches(self, name: str, actor: Principal) -> list[BranchView]:
        """Branches, the default one first."""
        return self._changes.branches(name, actor)

    def list_changes(
        self,
        name: str,
        actor: Principal,
        *,
        state: tuple[ChangeState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[ChangeRequestView]:
        """A page of change requests."""
        return self._changes.list(name, actor, state=state, cursor=cursor, limit=limit)

    def get_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """One change request."""
        return self._changes.get(name, number, actor)

    def open_change(self, name: str, wanted: OpenChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Open one."""
        return self._changes.open(name, wanted, actor)

    def merge_change(self, name: str, number: int, wanted: MergeChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Merge it."""
        return self._changes.merge(name, number, wanted, actor)

    def close_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Close it."""
        return self._changes.close(name, number, actor)

    def reopen_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Open it again."""
        return self._changes.reopen(name, number, actor)
