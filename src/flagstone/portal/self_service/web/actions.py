"""``/actions/{kind}/{namespace}/{name}``: the buttons of an entity page; each starts a run and goes to its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.plans import Change
from flagstone.contracts.runs import RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict
from flagstone.kernel.ids import new_id
from flagstone.portal.self_service.permissions import DEPLOYMENT_CHANGE
from flagstone.portal.self_service.service import Deletion, EntityActions
from flagstone.toolkit.web.pages import Pages

Key = Annotated[str, Form(max_length=100)]


@dataclass(frozen=True, slots=True)
class DeletePage:
    """What would be removed, and the field that asks for the name."""

    deletion: Deletion
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    href: str
    entity_href: str
    key: str
    notice: str
    wrong_name: bool


def delete_page(deletion: Deletion, *, notice: str = "", wrong_name: bool = False) -> DeletePage:
    """The page of a deletion."""
    path = deletion.entity.path
    return DeletePage(
        deletion=deletion,
        changes=tuple(change for step in deletion.plan.steps for change in step.changes if change.op != "none"),
        notes=tuple(note for step in deletion.plan.steps for note in step.notes),
        href=f"/actions/{path}/delete",
        entity_href=f"/catalog/{path}",
        key=new_id(),
        notice=notice,
        wrong_name=wrong_name,
    )


def action_routes(routes: APIRouter, actions: EntityActions, pages: Pages) -> None:
    """Add the buttons."""

    def moved(run: RunView) -> Response:
        return RedirectResponse(f"/runs/{run.number}", 303)

    def add(verb: str, act: Callable[..., RunView]) -> None:
        def handler(
            kind: str,
            namespace: str,
            name: str,
            principal: Annotated[Principal, permit(DEPLOYMENT_CHANGE)],
            environment: Annotated[str, Form(max_length=100)] = "",
            key: Key = "",
        ) -> Response:
            return moved(act(principal, f"{kind}:{namespace}/{name}", environment, key=key or None))

        handler.__doc__ = f"{verb.capitalize()} what the entity describes."
        routes.post(f"/actions/{{kind}}/{{namespace}}/{{name}}/{verb}")(handler)

    add("deploy", actions.deploy)
    add("stop", actions.stop)
    add("start", actions.start)

    @routes.post("/actions/{kind}/{namespace}/{name}/promote")
    def promote(
        kind: str,
        namespace: str,
        name: str,
        principal: Annotated[Principal, permit(DEPLOYMENT_CHANGE)],
        environment: Annotated[str, Form(max_length=100)] = "",
        source: Annotated[str, Form(max_length=100)] = "",
        key: Key = "",
    ) -> Response:
        """Bring the release of one environment up in a later one."""
        ref = f"{kind}:{namespace}/{name}"
        return moved(actions.promote(principal, ref, environment, source=source, key=key or None))

    @routes.get("/actions/{kind}/{namespace}/{name}/delete", response_class=HTMLResponse)
    def ask(
        request: Request,
        kind: str,
        namespace: str,
        name: str,
        principal: Annotated[Principal, permit(DEPLOYMENT_CHANGE)],
    ) -> Response:
        """What would be removed."""
        page = delete_page(actions.plan_deletion(principal, f"{kind}:{namespace}/{name}"))
        return pages.render(request, "self_service/delete.html", page)

    @routes.post("/actions/{kind}/{namespace}/{name}/delete", response_class=HTMLResponse)
    def delete(
        request: Request,
        kind: str,
        namespace: str,
        name: str,
        principal: Annotated[Principal, permit(DEPLOYMENT_CHANGE)],
        confirm: Annotated[str, Form(max_length=300)] = "",
        digest: Annotated[str, Form(max_length=200)] = "",
        key: Key = "",
    ) -> Response:
        """Remove it, when the name was typed and the plan is still the one that was seen."""
        ref = f"{kind}:{namespace}/{name}"
        if confirm.strip() != name:
            page = delete_page(actions.plan_deletion(principal, ref), wrong_name=True)
            return pages.render(request, "self_service/delete.html", page, status=422)
        try:
            return moved(actions.delete(principal, ref, plan_digest=digest or None, key=key or None))
        except Conflict:
            notice = "What would be removed has changed since you looked. Nothing was removed. This is the new list."
            page = delete_page(actions.plan_deletion(principal, ref), notice=notice)
            return pages.render(request, "self_service/delete.html", page, status=409)
