"""The part of the door that is about branches and change requests, over HTTP."""

from __future__ import annotations

from flagstone.builtin.http_gateway.calls import Calls
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


class HttpChangeRequests(Calls):
    """See ``flagstone.contracts.repositories.ChangeRequestDoor``."""

    def list_branches(self, name: str, actor: Principal) -> list[BranchView]:
        """Branches, the default one first."""
        return self._many(BranchView, f"/api/v1/repositories/{name}/branches", actor)

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
        params = {"state": list(state) or None, "cursor": cursor, "limit": limit}
        return self._page(ChangeRequestView, f"/api/v1/repositories/{name}/changes", actor, params)

    def get_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """One change request."""
        return self._one(ChangeRequestDetail, _path(name, number), actor)

    def open_change(self, name: str, wanted: OpenChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Open one."""
        path = f"/api/v1/repositories/{name}/changes"
        return self._one(ChangeRequestDetail, path, actor, method="POST", body=wanted.model_dump())

    def merge_change(self, name: str, number: int, wanted: MergeChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Merge it."""
        path = f"{_path(name, number)}/merge"
        return self._one(ChangeRequestDetail, path, actor, method="POST", body=wanted.model_dump())

    def close_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Close it."""
        return self._one(ChangeRequestDetail, f"{_path(name, number)}/close", actor, method="POST")

    def reopen_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Open it again."""
        return self._one(ChangeRequestDetail, f"{_path(name, number)}/reopen", actor, method="POST")


def _path(name: str, number: int) -> str:
    return f"/api/v1/repositories/{name}/changes/{number}"
