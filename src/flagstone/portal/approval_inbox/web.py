"""``/approvals``: the inbox, and one request with everything that has to be known to decide it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.approvals import ApprovalView
from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.plans import Plan
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid
from flagstone.portal.approval_inbox.permissions import DECIDE, READ
from flagstone.portal.approval_inbox.service import Inbox
from flagstone.portal.golden_paths import PlanFacts, read_plan
from flagstone.toolkit.web.filetree import FileEntry
from flagstone.toolkit.web.pages import Pages

Reader = Annotated[Principal, permit(READ)]
Decider = Annotated[Principal, permit(DECIDE)]
View = Literal["mine", "asked", "decided", "all"]

_CHANGES: dict[str, Literal["added", "changed", "removed"]] = {
    "create": "added",
    "change": "changed",
    "delete": "removed",
}
_MANY = 100


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A list of requests."""

    view: View
    items: tuple[ApprovalView, ...]
    names: Mapping[str, str]
    more_href: str | None
    platform: GatewayInfo


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One request. ``notice`` says why the last thing that was asked for was not done."""

    item: ApprovalView
    plan: Plan | None
    facts: PlanFacts | None
    files: tuple[FileEntry, ...]
    names: Mapping[str, str]
    comment: str
    notice: str
    hint: str


def _refs(item: ApprovalView) -> set[str]:
    decided = {decision.on_behalf_of for decision in item.decisions}
    return {*item.rule.of, *(ref for one in item.delegations for ref in (one.by, one.to)), *decided, item.owner or ""}


def _files(plan: Plan | None) -> tuple[FileEntry, ...]:
    files = plan.files if plan is not None else ()
    return tuple(
        FileEntry(
            file.path,
            file.text,
            _CHANGES[file.op],
            "" if file.text is not None else f"{file.size} bytes, not text",
            file.before,
            plain=number >= _MANY,
        )
        for number, file in enumerate(files)
    )


def router(inbox: Inbox, pages: Pages) -> APIRouter:
    """The pages."""
    routes = APIRouter(include_in_schema=False)

    def page(
        principal: Principal, approval_id: str, error: FlagstoneError | None = None, comment: str = ""
    ) -> RequestPage:
        item, plan = inbox.get(principal, approval_id)
        return RequestPage(
            item=item,
            plan=plan,
            facts=read_plan(plan) if plan is not None else None,
            files=_files(plan),
            names=inbox.names(_refs(item)),
            comment=comment,
            notice=error.message if error else "",
            hint=(error.hint or "") if error else "",
        )

    @routes.get("/approvals", response_class=HTMLResponse)
    def list_requests(request: Request, principal: Reader, view: View = "mine", cursor: str | None = None) -> Response:
        """Requests, newest first."""
        found = inbox.list(principal, view, cursor=cursor)
        query = urlencode({"view": view, "cursor": found.next_cursor})
        shown = InboxPage(
            view=view,
            items=tuple(found.items),
            names=inbox.names({ref for item in found.items for ref in item.rule.of}),
            more_href=f"/approvals?{query}" if found.next_cursor else None,
            platform=inbox.platform(),
        )
        fragment = "approval_inbox/_rows.html" if cursor else None
        return pages.render(request, "approval_inbox/list.html", shown, fragment=fragment)

    @routes.get("/approvals/{approval_id}", response_class=HTMLResponse)
    def show(request: Request, approval_id: str, principal: Reader) -> Response:
        """One of them."""
        return pages.render(request, "approval_inbox/request.html", page(principal, approval_id))

    def refused(
        request: Request, principal: Principal, approval_id: str, error: FlagstoneError, comment: str = ""
    ) -> Response:
        shown = page(principal, approval_id, error, comment)
        return pages.render(request, "approval_inbox/request.html", shown, status=error.status)

    @routes.post("/approvals/{approval_id}/decision", response_class=HTMLResponse)
    def decide(
        request: Request,
        approval_id: str,
        principal: Decider,
        verdict: Annotated[Literal["approve", "reject"], Form()],
        comment: Annotated[str, Form(max_length=5_000)] = "",
        plan_digest: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """Approve or reject what was seen."""
        try:
            inbox.decide(principal, approval_id, verdict, comment.strip(), plan_digest)
        except (Conflict, Denied) as error:
            return refused(request, principal, approval_id, error, comment)
        return RedirectResponse(f"/approvals/{approval_id}", 303)

    @routes.post("/approvals/{approval_id}/delegation", response_class=HTMLResponse)
    def delegate(
        request: Request, approval_id: str, principal: Decider, to: Annotated[str, Form(max_length=300)] = ""
    ) -> Response:
        """Let somebody else decide."""
        try:
            inbox.delegate(principal, approval_id, to)
        except (Conflict, Denied, Invalid) as error:
            return refused(request, principal, approval_id, error)
        return RedirectResponse(f"/approvals/{approval_id}", 303)

    return routes
