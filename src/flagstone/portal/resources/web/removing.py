"""``/resources/{id}/remove``: what would be removed, what becomes of its data, and the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.resources import ResourceView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError
from flagstone.kernel.ids import new_id
from flagstone.portal.golden_paths import PlanView, plan_view
from flagstone.portal.resources.model import ResourceLine, resource_line
from flagstone.portal.resources.permissions import CHANGE
from flagstone.portal.resources.web.parts import Parts

Data = Literal["keep", "delete"]


@dataclass(frozen=True, slots=True)
class RemovePage:
    """The plan of a removal, and the field that asks for the name where data are deleted."""

    line: ResourceLine
    stateful: bool
    """Whether it holds data."""
    data: Data
    view: PlanView
    wrong_name: bool = False
    key: str = field(default_factory=new_id)


class Removing:
    """Draws the page."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def page(
        self, principal: Principal, view: ResourceView, data: Data, *, changed: bool = False, wrong_name: bool = False
    ) -> RemovePage:
        """With a plan of today, or why there is none."""
        types = {one.name: one for one in self._parts.service.types(principal)}
        type_ = types.get(view.type)
        try:
            plan = self._parts.service.plan_removal(principal, view, delete_data=data == "delete")
            shown = plan_view(plan, self._parts.pickers, changed=changed)
        except FlagstoneError as error:
            shown = PlanView(error=error)
        line = resource_line(view, {name: one.title for name, one in types.items()})
        return RemovePage(line, type_ is None or type_.stateful, data, shown, wrong_name)


def removing_routes(routes: APIRouter, parts: Parts) -> None:
    """Add them."""
    removing = Removing(parts)

    def drawn(request: Request, page: RemovePage, status: int = 200) -> Response:
        return parts.pages.render(request, "resources/remove.html", page, status=status)

    @routes.get("/resources/{resource_id}/remove", response_class=HTMLResponse)
    def ask(
        request: Request, resource_id: str, principal: Annotated[Principal, permit(CHANGE)], data: Data = "keep"
    ) -> Response:
        """What would be removed."""
        page = removing.page(principal, parts.service.get(principal, resource_id), data)
        return drawn(request, page, page.view.error.status if page.view.error else 200)

    @routes.post("/resources/{resource_id}/remove", response_class=HTMLResponse)
    def remove(
        request: Request,
        resource_id: str,
        principal: Annotated[Principal, permit(CHANGE)],
        data: Annotated[Data, Form()] = "keep",
        confirm: Annotated[str, Form(max_length=300)] = "",
        digest: Annotated[str, Form(max_length=200)] = "",
        key: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """Remove it when the plan is still the one that was seen; its data only when its name was typed."""
        view = parts.service.get(principal, resource_id)
        if data == "delete" and confirm.strip() != view.name:
            return drawn(request, removing.page(principal, view, data, wrong_name=True), 422)
        try:
            run = parts.service.remove(
                principal, view, delete_data=data == "delete", digest=digest or None, key=key or None
            )
        except Conflict as error:
            page = removing.page(principal, view, data, changed=True)
            if page.view.plan is None or page.view.plan.digest == digest:
                shown = PlanView(page.view.plan, page.view.facts, page.view.files, error)
                page = RemovePage(page.line, page.stateful, data, shown)
            return drawn(request, page, 409)
        return RedirectResponse(f"/runs/{run.number}", 303)
