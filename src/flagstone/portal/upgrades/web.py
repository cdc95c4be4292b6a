"""``/upgrades``: what is behind, and one upgrade with its preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import SecretStr

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.plans import Change, Plan
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError
from flagstone.kernel.ids import new_id
from flagstone.portal.upgrades.model import GITHUB_UPGRADE, UPGRADE
from flagstone.portal.upgrades.permissions import OPEN, READ
from flagstone.portal.upgrades.service import Standing, UpgradeService
from flagstone.toolkit.web.forms import Field, Pairs, check, fields, parse, parse_body
from flagstone.toolkit.web.forms.posted import MAX_BODY
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class ListPage:
    """What golden paths made."""

    items: tuple[Standing, ...]
    behind: bool
    template: str
    templates: tuple[tuple[str, int], ...]
    platform: GatewayInfo
    more_href: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan as it is shown: what the merge changes, and what needs a decision."""

    plan: Plan
    changes: tuple[Change, ...]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]
    nothing: bool


@dataclass(frozen=True, slots=True)
class UpgradePage:
    """One upgrade."""

    standing: Standing
    href: str
    may_open: bool
    pages: tuple[tuple[int, str, tuple[Field, ...]], ...] = ()
    """Number, title and fields of what still has to be answered."""
    picker: str = ""
    problems: tuple[tuple[str, str, str], ...] = ()
    preview: Preview | None = None
    error: FlagstoneError | None = None
    changed: bool = False
    key: str = field(default_factory=new_id)


async def read_pairs(request: Request) -> Pairs:
    """The posted fields; no more is read than a form may hold."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return parse_body(bytes(body))


def router(service: UpgradeService, pages: Pages) -> APIRouter:
    """Pages below ``/upgrades``."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/upgrades", response_class=HTMLResponse)
    def show_list(
        request: Request,
        _principal: Annotated[Principal, permit(READ)],
        template: str = "",
        all: str = "",  # noqa: A002  the name in the address
        cursor: str | None = None,
    ) -> Response:
        """What is behind; with ``all`` everything that golden paths made."""
        page = service.page(template_ref=template or None, behind=not all, cursor=cursor)
        more = request.url.include_query_params(cursor=page.next_cursor) if page.next_cursor else None
        shown = ListPage(
            items=page.items,
            behind=not all,
            template=template,
            templates=tuple(sorted(service.templates().items())),
            platform=service.platform(),
            more_href=f"{more.path}?{more.query}" if more else None,
        )
        return pages.render(request, "upgrades/list.html", shown)

    @routes.get("/upgrades/{kind}/{namespace}/{name}", response_class=HTMLResponse)
    def show(
        request: Request, kind: str, namespace: str, name: str, principal: Annotated[Principal, permit(READ)]
    ) -> Response:
        """One upgrade: what is remembered, and what still has to be answered."""
        form = _Form(service, principal, f"{kind}:{namespace}/{name}")
        return pages.render(request, "upgrades/upgrade.html", form.page())

    @routes.post("/upgrades/{kind}/{namespace}/{name}", response_class=HTMLResponse)
    def post(
        request: Request,
        kind: str,
        namespace: str,
        name: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(OPEN)],
    ) -> Response:
        """Preview it, or open it as a change request."""
        form = _Form(service, principal, f"{kind}:{namespace}/{name}", pairs)
        if pairs.last("_action") == "open" and not form.problems:
            done = form.open(pairs.last("_plan"), pairs.last("_key"))
            if isinstance(done, str):
                return RedirectResponse(done, 303)
            return pages.render(request, "upgrades/upgrade.html", done, status=done.error.status if done.error else 409)
        page = form.preview()
        bad = bool(page.problems or page.error)
        return pages.render(request, "upgrades/upgrade.html", page, status=422 if bad else 200)

    return routes


class _Form:
    """The answers that a person gives beside the remembered ones."""

    def __init__(self, service: UpgradeService, principal: Principal, ref: str, pairs: Pairs | None = None) -> None:
        self._service = service
        self._principal = principal
        self._ref = ref
        self._standing = service.get(ref)
        self._values: dict[str, Any] = {}
        self._secrets: dict[str, SecretStr] = {}
        self._asked = service.asked(self._standing, {}) if self._standing.path else []
        self.problems: dict[str, str] = {}
        if pairs is not None:
            self._read(pairs)

    def _read(self, pairs: Pairs) -> None:
        for _, page in self._asked:
            posted = parse(page, pairs, {})
            self._values |= posted.values
            self._secrets |= {name.rpartition("/")[2]: SecretStr(text) for name, text in posted.secrets.items()}
        for _, page in self._asked:
            self.problems |= {fault.name: fault.message for fault in check(page, self._values)}

    def page(self, **more: Any) -> UpgradePage:
        """The page as it stands."""
        standing = self._standing
        drawn = []
        values: Mapping[str, Any] = {**standing.memory.inputs, **self._values}
        for number, page in self._asked:
            found = fields(page, values, self.problems)
            drawn.append((number, str(page.get("title") or ""), found))
        labels = {item.name: item for _, _, found in drawn for item in found}
        return UpgradePage(
            standing=standing,
            href=standing.href,
            may_open=self._service.may_open(self._principal, standing),
            pages=tuple(drawn),
            picker=f"{standing.path.href}/_options?draft=&page=" if standing.path else "",
            problems=tuple(
                (labels[name].id if name in labels else "upgrade", labels[name].label if name in labels else name, text)
                for name, text in self.problems.items()
            ),
            **more,
        )

    def preview(self, *, changed: bool = False) -> UpgradePage:
        """With the plan, unless something is missing."""
        if self.problems:
            return self.page()
        try:
            plan = self._service.plan(self._principal, self._ref, self._values, self._secrets)
        except FlagstoneError as error:
            return self.page(error=error)
        return self.page(preview=_preview(plan), changed=changed)

    def open(self, digest: str | None, key: str | None) -> str | UpgradePage:
        """The address of the run, or the page again with what is wrong."""
        try:
            run = self._service.open(
                self._principal, self._ref, self._values, self._secrets, plan_digest=digest, key=key
            )
        except Conflict as error:
            page = self.preview(changed=True)
            return page if page.preview and page.preview.plan.digest != digest else self.page(error=error)
        except FlagstoneError as error:
            return self.page(error=error)
        return f"/runs/{run.number}"


def _preview(plan: Plan) -> Preview:
    last = next(step for step in plan.steps if step.action in (UPGRADE, GITHUB_UPGRADE))
    conflicts = [change.facts.get("Conflicts", "") for change in last.changes if change.kind == "repository"]
    return Preview(
        plan=plan,
        changes=tuple(change for change in last.changes if change.kind == "file"),
        conflicts=tuple(path for text in conflicts for path in text.split(", ") if path),
        notes=tuple(note for step in plan.steps for note in step.notes),
        nothing=all(change.op == "none" for change in last.changes),
    )
