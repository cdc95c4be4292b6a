"""The part of the door that is about batches, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import SecretStr

from flagstone.builtin.http_gateway.calls import Calls, revealed
from flagstone.contracts.batches import BatchItemView, BatchState, BatchVerb, BatchView, ItemState, NewBatch
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

_ALL = "/api/v1/batches"


class HttpBatches(Calls):
    """See ``flagstone.contracts.batches.BatchDoor``."""

    def list_batches(
        self,
        actor: Principal,
        *,
        state: tuple[BatchState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchView]:
        """A page of batches."""
        return self._page(BatchView, _ALL, actor, {"state": list(state), "cursor": cursor, "limit": limit})

    def get_batch(self, batch_id: str, actor: Principal) -> BatchView:
        """One batch."""
        return self._one(BatchView, _path(batch_id), actor)

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
        asked = {"state": list(state), "cursor": cursor, "limit": limit}
        return self._page(BatchItemView, f"{_path(batch_id)}/items", actor, asked)

    def start_batch(self, wanted: NewBatch, actor: Principal) -> BatchView:
        """Start one."""
        body = wanted.model_dump(mode="json") | {"secrets": revealed(wanted.secrets)}
        return self._one(BatchView, _ALL, actor, method="POST", body=body)

    def change_batch(
        self, batch_id: str, verb: BatchVerb, actor: Principal, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Pause, continue, cancel or retry it."""
        body = {"secrets": revealed(secrets)} if secrets else None
        return self._one(BatchView, f"{_path(batch_id)}/{verb}", actor, method="POST", body=body)


def _path(batch_id: str) -> str:
    return f"{_ALL}/{quote(batch_id, safe='')}"
