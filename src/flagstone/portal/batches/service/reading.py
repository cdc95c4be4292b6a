"""Seeing batches and changing them, through the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from flagstone.contracts.batches import BatchItemView, BatchState, BatchVerb, BatchView, ItemState
from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.portal.batches.permissions import WRITE
from flagstone.portal.catalog import CatalogService, EntityRow


class BatchReader:
    """What the pages of batches stand on."""

    def __init__(self, gateway: RunGateway, catalog: CatalogService, access: AccessService) -> None:
        self._gateway = gateway
        self._catalog = catalog
        self._access = access

    def may_start(self, principal: Principal) -> bool:
        """Whether a person may start batches at all."""
        return self._access.decide(principal, WRITE).allowed

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def list(
        self, principal: Principal, *, state: tuple[BatchState, ...] = (), cursor: str | None = None
    ) -> Page[BatchView]:
        """A page of batches, newest first."""
        return self._gateway.list_batches(principal, state=state, cursor=cursor)

    def get(self, principal: Principal, batch_id: str) -> BatchView:
        """One of them. Raises NotFound."""
        return self._gateway.get_batch(batch_id, principal)

    def items(
        self, principal: Principal, batch_id: str, *, state: tuple[ItemState, ...] = (), cursor: str | None = None
    ) -> Page[BatchItemView]:
        """A page of its entities."""
        return self._gateway.batch_items(batch_id, principal, state=state, cursor=cursor)

    def change(
        self, principal: Principal, batch_id: str, verb: BatchVerb, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Pause, continue, cancel or retry it, with other secrets if there are some.

        Raises Conflict, Denied, NotFound; Invalid when a retry needs secrets that are not there any more.
        """
        return self._gateway.change_batch(batch_id, verb, principal, secrets)

    def rows(self, refs: Iterable[str]) -> dict[str, EntityRow]:
        """What the catalog knows of entities; those that are gone are left out."""
        return dict(self._catalog.rows(set(refs)))
