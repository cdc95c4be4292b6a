"""The parts of the door when there is no platform behind it: lists are empty, everything else says why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from flagstone.contracts.approvals import ApprovalQuery, ApprovalVerdict, ApprovalView
from flagstone.contracts.batches import BatchItemView, BatchState, BatchVerb, BatchView, ItemState, NewBatch
from flagstone.contracts.plans import Plan
from flagstone.contracts.repositories import (
    BranchView,
    ChangeRequestDetail,
    ChangeRequestView,
    ChangeState,
    MergeChangeRequest,
    OpenChangeRequest,
)
from flagstone.contracts.resources import ResourceDefinitionView, ResourceQuery, ResourceTypeView, ResourceView
from flagstone.contracts.runs import RunView
from flagstone.contracts.triggers import NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Unavailable
from flagstone.kernel.paging import Page


class Nobody:
    """What all parts share."""

    HINT = "Set platform.url in flagstone.toml to the address of a platform, or start both rooms with `flagstone up`."

    def _refuse(self) -> Unavailable:
        return Unavailable("gateway.no_platform", "This portal is not connected to a platform.", hint=self.HINT)


class NoApprovals(Nobody):
    """See ``flagstone.contracts.approvals.ApprovalDoor``."""

    def list_approvals(self, query: ApprovalQuery, actor: Principal) -> Page[ApprovalView]:
        """None are asked for."""
        return Page(())

    def count_approvals(self, actor: Principal) -> int:
        """None wait."""
        return 0

    def get_approval(self, approval_id: str, actor: Principal) -> ApprovalView:
        """Refuses."""
        raise self._refuse()

    def approval_plan(self, approval_id: str, actor: Principal) -> Plan | None:
        """Refuses."""
        raise self._refuse()

    def decide_approval(
        self, approval_id: str, actor: Principal, verdict: ApprovalVerdict, *, comment: str = "", plan_digest: str = ""
    ) -> ApprovalView:
        """Refuses."""
        raise self._refuse()

    def delegate_approval(self, approval_id: str, actor: Principal, to: str) -> ApprovalView:
        """Refuses."""
        raise self._refuse()


class NoBatches(Nobody):
    """See ``flagstone.contracts.batches.BatchDoor``."""

    def list_batches(
        self,
        actor: Principal,
        *,
        state: tuple[BatchState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchView]:
        """There are none."""
        return Page(())

    def get_batch(self, batch_id: str, actor: Principal) -> BatchView:
        """Refuses."""
        raise self._refuse()

    def batch_items(
        self,
        batch_id: str,
        actor: Principal,
        *,
        state: tuple[ItemState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchItemView]:
        """Refuses."""
        raise self._refuse()

    def start_batch(self, wanted: NewBatch, actor: Principal) -> BatchView:
        """Refuses."""
        raise self._refuse()

    def change_batch(
        self, batch_id: str, verb: BatchVerb, actor: Principal, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Refuses."""
        raise self._refuse()


class NoChangeRequests(Nobody):
    """See ``flagstone.contracts.repositories.ChangeRequestDoor``."""

    def list_branches(self, name: str, actor: Principal) -> list[BranchView]:
        """No branches."""
        return []

    def list_changes(
        self,
        name: str,
        actor: Principal,
        *,
        state: tuple[ChangeState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[ChangeRequestView]:
        """No change requests."""
        return Page(())

    def get_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Refuses."""
        raise self._refuse()

    def open_change(self, name: str, wanted: OpenChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Refuses."""
        raise self._refuse()

    def merge_change(self, name: str, number: int, wanted: MergeChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Refuses."""
        raise self._refuse()

    def close_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Refuses."""
        raise self._refuse()

    def reopen_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Refuses."""
        raise self._refuse()


class NoResources(Nobody):
    """See ``flagstone.contracts.resources.ResourceDoor``."""

    def list_resources(self, query: ResourceQuery, actor: Principal) -> Page[ResourceView]:
        """There are none."""
        return Page(())

    def get_resource(self, resource_id: str, actor: Principal) -> ResourceView:
        """Refuses."""
        raise self._refuse()

    def resource_types(self, actor: Principal) -> list[ResourceTypeView]:
        """Nothing may be asked for."""
        return []

    def resource_definitions(self, actor: Principal) -> list[ResourceDefinitionView]:
        """Nobody provides anything."""
        return []


class NoTriggers(Nobody):
    """See ``flagstone.contracts.triggers.TriggerDoor``."""

    def list_triggers(
        self,
        actor: Principal,
        *,
        kind: TriggerKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[TriggerView]:
        """Nothing starts by itself."""
        return Page(())

    def get_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Refuses."""
        raise self._refuse()

    def create_trigger(self, wanted: NewTrigger, actor: Principal) -> TriggerView:
        """Refuses."""
        raise self._refuse()

    def change_trigger(self, trigger_id: str, change: TriggerChange, actor: Principal) -> TriggerView:
        """Refuses."""
        raise self._refuse()

    def pause_trigger(self, trigger_id: str, actor: Principal, *, paused: bool) -> TriggerView:
        """Refuses."""
        raise self._refuse()

    def run_trigger(self, trigger_id: str, actor: Principal) -> RunView:
        """Refuses."""
        raise self._refuse()

    def delete_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Refuses."""
        raise self._refuse()
