"""The part of the door that is about batches."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from flagstone.contracts.batches import BatchItemView, BatchState, BatchVerb, BatchView, ItemState, NewBatch
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.batches import BatchService


class LocalBatches:
    """See ``flagstone.contracts.batches.BatchDoor``."""

    _batches: BatchService

    def list_batches(
        self,
        actor: Principal,
        *,
        state: tuple[BatchState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchView]:
        """A page of batches."""
        return self._batches.list(actor, state=state, cursor=cursor, limit=limit)

    def get_batch(self, batch_id: str, actor: Principal) -> BatchView:
        """One batch."""
        return self._batches.get(batch_id, actor)

    def batch_items(
        self,
        batch_id: str,
        actor: Principal,
        *,
        state: tuple[ItemState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchItemView]:
        """A page of its entities."""
        return self._batches.items(batch_id, actor, state=state, cursor=cursor, limit=limit)

    def start_batch(self, wanted: NewBatch, actor: Principal) -> BatchView:
        """Start one."""
        return self._batches.start(wanted, actor)

    def change_batch(
        self, batch_id: str, verb: BatchVerb, actor: Principal, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Pause, continue, cancel or retry it."""
        return self._batches.change(batch_id, verb, actor, secrets)
