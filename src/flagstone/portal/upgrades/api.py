"""JSON API of upgrades."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.upgrades.permissions import OPEN, READ
from flagstone.portal.upgrades.service import Standing, UpgradeService


class UpgradeItem(BaseModel):
    """Where something stands that a golden path made."""

    entity_ref: str
    title: str
    owner: str | None
    template_ref: str
    template_title: str
    version: str
    current_version: str | None
    """None when the template left the catalog."""
    behind: int
    """How many versions; 0 is the current one."""
    repository: str
    run: int
    made_at: datetime
    change_request: int | None = None
    """Number of the upgrade that is open."""


class UpgradeList(BaseModel):
    """A page."""

    items: list[UpgradeItem]
    next_cursor: str | None = None


class UpgradeDetail(UpgradeItem):
    """With the answers that are remembered, and the pages of the form that still have to be answered."""

    inputs: dict[str, Any]
    asks: list[dict[str, Any]]


class UpgradeBody(BaseModel):
    """Answers beside the remembered ones."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    plan_digest: str | None = None
    idempotency_key: str | None = Field(default=None, max_length=200)


def router(service: UpgradeService) -> APIRouter:
    """Routes below ``/api/v1/upgrades``."""
    routes = APIRouter(prefix="/api/v1/upgrades", tags=["upgrades"])

    @routes.get("")
    def list_upgrades(
        _principal: Annotated[Principal, permit(READ)],
        template: str | None = None,
        behind: bool = False,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> UpgradeList:
        """What golden paths made, by entity ref."""
        page = service.page(template_ref=template, behind=behind, cursor=cursor, limit=limit)
        return UpgradeList(items=[UpgradeItem(**_item(found)) for found in page.items], next_cursor=page.next_cursor)

    @routes.get("/{kind}/{namespace}/{name}")
    def get_upgrade(
        kind: str, namespace: str, name: str, _principal: Annotated[Principal, permit(READ)]
    ) -> UpgradeDetail:
        """One of them."""
        found = service.get(f"{kind}:{namespace}/{name}")
        asks = [page for _, page in service.asked(found, {})] if found.path else []
        return UpgradeDetail(**_item(found), inputs=dict(found.memory.inputs), asks=asks)

    @routes.post("/{kind}/{namespace}/{name}/plan")
    def plan_upgrade(
        kind: str, namespace: str, name: str, body: UpgradeBody, principal: Annotated[Principal, permit(OPEN)]
    ) -> Plan:
        """The merged difference, and the conflicts; nothing is changed."""
        return service.plan(principal, f"{kind}:{namespace}/{name}", body.values, body.secrets)

    @routes.post("/{kind}/{namespace}/{name}", status_code=status.HTTP_202_ACCEPTED)
    def open_upgrade(
        kind: str, namespace: str, name: str, body: UpgradeBody, principal: Annotated[Principal, permit(OPEN)]
    ) -> RunView:
        """Start the run that opens the change request."""
        return service.open(
            principal,
            f"{kind}:{namespace}/{name}",
            body.values,
            body.secrets,
            plan_digest=body.plan_digest,
            key=body.idempotency_key,
        )

    return routes


def _item(found: Standing) -> dict[str, Any]:
    memory = found.memory
    return {
        "entity_ref": memory.entity_ref,
        "title": found.title,
        "owner": found.entity.owner if found.entity else None,
        "template_ref": memory.template_ref,
        "template_title": found.path.title if found.path else memory.template_ref,
        "version": memory.version,
        "current_version": found.path.version if found.path else None,
        "behind": found.behind,
        "repository": memory.place,
        "run": memory.run_number,
        "made_at": memory.made_at,
        "change_request": memory.pending.number if memory.pending else None,
    }
