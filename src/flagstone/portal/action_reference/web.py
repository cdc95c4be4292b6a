"""``/actions``: the list, and a page for each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.action_reference.model import IDEMPOTENCY, Member, members, paragraphs
from flagstone.portal.action_reference.permissions import READ
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class ListPage:
    """All actions, or those that match."""

    q: str
    families: tuple[tuple[str, tuple[ActionSpec, ...]], ...]
    count: int
    platform: GatewayInfo


@dataclass(frozen=True, slots=True)
class ActionPage:
    """One action."""

    action: ActionSpec
    text: tuple[tuple[str, ...], ...]
    """Its description: paragraphs, each of texts and, at the odd places, code."""
    inputs: tuple[Member, ...]
    outputs: tuple[Member, ...]
    after_a_crash: str


def router(gateway: RunGateway, pages: Pages) -> APIRouter:
    """The pages."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/actions")
    def actions(request: Request, _: Annotated[Principal, permit(READ)], q: str = "") -> HTMLResponse:
        """Actions by family, filtered by words."""
        words = q.lower().split()
        found = [spec for spec in gateway.list_actions() if all(word in _text(spec) for word in words)]
        families: dict[str, list[ActionSpec]] = {}
        for spec in found:
            families.setdefault(spec.id.partition(":")[0], []).append(spec)
        grouped = tuple((name, tuple(specs)) for name, specs in sorted(families.items()))
        page = ListPage(q, grouped, len(found), gateway.info())
        return pages.render(request, "action_reference/list.html", page, fragment="action_reference/_rows.html")

    @routes.get("/actions/{action_id}")
    def action(request: Request, action_id: str, _: Annotated[Principal, permit(READ)]) -> HTMLResponse:
        """What one action takes, gives and does."""
        spec = next((spec for spec in gateway.list_actions() if spec.id == action_id), None)
        if spec is None:
            raise NotFound(
                "action_reference.no_action", f"There is no action {action_id}.", hint="/actions lists all of them."
            )
        page = ActionPage(
            spec,
            paragraphs(spec.description),
            members(spec.input_schema),
            members(spec.output_schema),
            spec.idempotency_note or IDEMPOTENCY[spec.idempotency],
        )
        return pages.render(request, "action_reference/action.html", page)

    return routes


def _text(spec: ActionSpec) -> str:
    return f"{spec.id} {spec.title} {spec.description} {spec.source}".lower()
