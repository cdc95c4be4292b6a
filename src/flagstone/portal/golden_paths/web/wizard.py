"""``/create/{namespace}/{name}``: the form, page by page, the review with the plan, and the start.

Every step is a plain form that works without JavaScript; with it, the same form is posted while somebody types and
drawn again in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError
from flagstone.portal.golden_paths.model import Draft, GoldenPath
from flagstone.portal.golden_paths.model.checking import Finding
from flagstone.portal.golden_paths.permissions import READ, RUN
from flagstone.portal.golden_paths.web.bodies import read_pairs
from flagstone.portal.golden_paths.web.gallery import ICONS
from flagstone.portal.golden_paths.web.parts import Parts
from flagstone.portal.golden_paths.web.plans import PlanView, plan_view
from flagstone.toolkit.web.forms import (
    Field,
    Pairs,
    check,
    fields,
    flat,
    parse,
    problems,
    secret_faults,
    settle,
    summary,
)
from flagstone.toolkit.web.forms.entries import Entry
from flagstone.toolkit.web.forms.names import split
from flagstone.toolkit.web.pages import Pages, is_fragment


@dataclass(frozen=True, slots=True)
class WizardPage:
    """One step of the form, or its review."""

    path: GoldenPath
    icon_of: str
    titles: tuple[str, ...]
    last: int
    """Number of the review."""
    step: int
    draft: Draft
    stored: bool
    platform: GatewayInfo
    may_run: bool
    page_title: str = ""
    page_text: str = ""
    fields: tuple[Field, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()
    checked: bool = False
    notice: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[tuple[int, str, tuple[Entry, ...]], ...] = ()
    prefill: str = ""
    entity: str = ""
    """The entity that a draft is about that is not stored yet."""
    about: str = ""
    """The name of the entity that it is about."""
    rerun: str = ""
    """The run whose answers a draft that is not stored yet began with."""
    broken: tuple[Finding, ...] = ()
    """Why nobody can start it as it is written."""
    files: bool = False
    """Whether files are filled in on this step."""
    picker_src: str = ""
    view: PlanView | None = None
    """None: it is fetched after the page."""


@dataclass(frozen=True, slots=True)
class Given:
    """Answers that are there before somebody types, as JSON."""

    answers: str = ""
    rerun_of: str = ""
    notice: str = ""
    entity_ref: str = ""


class Wizard:
    """Draws the steps and does what their buttons ask for."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self.paths = parts.paths
        self.drafts = parts.drafts
        self.prefills = parts.prefills
        self.pickers = parts.pickers
        self._checks = parts.checks
        self._pages = pages

    def show(
        self, request: Request, path: GoldenPath, principal: Principal, page: WizardPage, status: int = 200
    ) -> Response:
        """Draw a page; for htmx only the form."""
        return self._pages.render(
            request, "golden_paths/wizard.html", page, status=status, fragment="golden_paths/_wizard.html"
        )

    def show_plan(self, request: Request, page: WizardPage) -> Response:
        """Draw the plan alone."""
        return self._pages.render(request, "golden_paths/_plan.html", page)

    def base(self, path: GoldenPath, principal: Principal, draft: Draft, step: int, prefill: str = "") -> WizardPage:
        """What every step shows."""
        return WizardPage(
            path=path,
            icon_of=ICONS.get(path.type, "rocket"),
            titles=(*(str(page["title"]) for page in path.pages), "Review"),
            last=len(path.pages),
            step=step,
            draft=draft,
            stored=draft.created_at is not None,
            platform=self.paths.platform(),
            may_run=self.paths.may_run(principal),
            prefill=prefill,
            broken=tuple(self._checks.errors(path)),
            rerun=draft.rerun_of or "",
            entity=draft.entity_ref or "",
            about=self.pickers.labels({draft.entity_ref}).get(draft.entity_ref, "") if draft.entity_ref else "",
            picker_src=f"{path.href}/_options?{urlencode({'page': step, 'draft': draft.id})}",
        )

    def form(
        self,
        path: GoldenPath,
        principal: Principal,
        page: WizardPage,
        *,
        checked: bool,
        focus: bool = True,
        refused: Mapping[str, str] | None = None,
    ) -> WizardPage:
        """A step with its fields; ``checked``: everything that is wrong is said, not only what was filled in.

        ``refused``: secrets that were not kept, with why.
        """
        schema_page, values = path.pages[page.step], page.draft.values
        found = check(schema_page, values)
        said = {fault.name: fault.message for fault in found if checked or _told(values, fault.name, fault.missing)}
        said |= refused or {}
        drawn = self.pickers.drawn(path, schema_page, principal, values, said)
        if checked:
            said |= {item.name: item.error for item in flat(drawn) if item.error}
        told = problems(drawn, said, {fault.name: fault.label for fault in found}, "wizard")
        if not focus or checked:
            drawn = tuple(replace(item, attrs={**item.attrs, "autofocus": None}) for item in drawn)
        schema, _ = settle(schema_page, values)
        return replace(
            page,
            page_title=str(schema.get("title") or ""),
            page_text=str(schema.get("description") or ""),
            fields=drawn,
            problems=told if checked else (),
            checked=checked,
            files=any(item.widget in ("file", "files") for item in flat(drawn)),
            labels=self.pickers.labels(self.pickers.refs_in(drawn)),
        )

    def given(self, principal: Principal, path: GoldenPath, answers: str, run: str, entity: str) -> Given:
        """Where the first answers come from: the address itself, else a run, else an entity. Raises NotFound."""
        if answers or not (run or entity):
            return Given(answers)
        if run:
            text, known = self.prefills.of_run(principal, path, run)
            return Given(text, known.id, f"Filled in as in run #{known.number}. Secrets have to be typed again.")
        about = self.paths.attachments.subject(path, entity)
        return Given(self.prefills.of_entity(path, entity), entity_ref=about.ref if about else "")

    def named(self, page: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with names of entities made references: without JavaScript people type names."""
        return self.pickers.resolve(fields(page, values, custom=self.pickers.controls), values)

    def review(self, path: GoldenPath, page: WizardPage, view: PlanView | None) -> WizardPage:
        """The last step: the answers, and the plan when it is there."""
        lines = summary(path.pages, page.draft.values)
        refs = {ref for found in lines for line in found for ref in line.refs}
        entries = tuple((number, page.titles[number], tuple(found)) for number, found in enumerate(lines))
        return replace(page, entries=entries, labels=self.pickers.labels(refs), view=view)

    def plan(self, path: GoldenPath, principal: Principal, draft: Draft, *, changed: bool = False) -> PlanView:
        """Ask for the plan; what goes wrong becomes part of the page."""
        try:
            plan = self.drafts.plan(principal, path, draft)
        except FlagstoneError as error:
            return PlanView(error=error)
        return plan_view(plan, self.pickers, changed=changed)

    def first_wrong(self, path: GoldenPath, draft: Draft) -> int | None:
        """The first step with something missing or wrong."""
        return next((number for number, found in enumerate(self.paths.faults(path, draft.values)) if found), None)

    def start(
        self, request: Request, path: GoldenPath, principal: Principal, draft: Draft, digest: str | None
    ) -> Response:
        """Create: one draft becomes one run. When the plan changed, the new one is shown instead."""
        try:
            run_id = self.drafts.start(principal, path, draft, digest)
        except Conflict as error:
            view = self.plan(path, principal, draft, changed=True)
            if view.plan is None or view.plan.digest == digest:
                view = replace(view, error=error, changed=False)
            page = self.base(path, principal, draft, len(path.pages))
            return self.show(request, path, principal, self.review(path, page, view), 409)
        except FlagstoneError as error:
            page = self.base(path, principal, draft, len(path.pages))
            return self.show(request, path, principal, self.review(path, page, PlanView(error=error)), error.status)
        return moved(request, f"/runs/{run_id}")


def _told(values: Mapping[str, Any], name: str, missing: bool) -> bool:
    """Whether a fault is worth telling while somebody still types: not for what is empty yet."""
    if missing:
        return False
    node: Any = values
    for part in split(name):
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
    return node not in (None, "", [], {})


def moved(request: Request, href: str) -> Response:
    """Go to another page: a redirect, which htmx is told by a header."""
    if is_fragment(request):
        return Response(status_code=200, headers={"HX-Redirect": href})
    return RedirectResponse(href, 303)


def address(path: GoldenPath, draft: Draft, step: int) -> str:
    """The page of a step."""
    return f"{path.href}?{urlencode({'draft': draft.id, 'step': step})}"


def wizard_routes(routes: APIRouter, wizard: Wizard) -> None:
    """Add the form and its posts."""

    @routes.get("/create/{namespace}/{name}", response_class=HTMLResponse)
    def show(
        request: Request,
        namespace: str,
        name: str,
        principal: Annotated[Principal, permit(READ)],
        draft: str | None = None,
        step: int = 0,
        plan: str = "",
        run: str = "",
        entity: str = "",
        formData: str = "",  # noqa: N803  the name that Backstage's addresses use
    ) -> Response:
        """One step of the form; with ``formData`` (JSON), a run or an entity some answers are there already."""
        path = wizard.paths.get(namespace, name)
        found = wizard.drafts.find(principal, path, draft)
        if found is not None and found.run_id:
            return moved(request, f"/runs/{found.run_id}")
        given = Given(formData) if found else wizard.given(principal, path, formData, run, entity)
        current = found or wizard.drafts.begin(principal, path, draft, given.answers, given.rerun_of, given.entity_ref)
        notice = _notice(path, draft, found) or given.notice
        step = min(max(step, 0), len(path.pages)) if found else 0
        wrong = wizard.first_wrong(path, current) if step else None
        page = replace(wizard.base(path, principal, current, step, given.answers), notice=notice)
        if wrong is not None and wrong < step:
            page = replace(page, step=wrong)
            return wizard.show(request, path, principal, wizard.form(path, principal, page, checked=True))
        if step < len(path.pages):
            return wizard.show(request, path, principal, wizard.form(path, principal, page, checked=False))
        view = wizard.plan(path, principal, current) if plan == "now" else None
        return wizard.show(request, path, principal, wizard.review(path, page, view))

    @routes.get("/create/{namespace}/{name}/plan", response_class=HTMLResponse)
    def show_plan(
        request: Request, namespace: str, name: str, draft: str, principal: Annotated[Principal, permit(RUN)]
    ) -> Response:
        """The plan of a draft, for the review."""
        path = wizard.paths.get(namespace, name)
        found = wizard.drafts.find(principal, path, draft)
        if found is None or not is_fragment(request):
            return moved(request, f"{path.href}?{urlencode({'draft': draft, 'step': len(path.pages), 'plan': 'now'})}")
        page = wizard.base(path, principal, found, len(path.pages))
        page = replace(page, view=wizard.plan(path, principal, found))
        return wizard.show_plan(request, page)

    @routes.post("/create/{namespace}/{name}", response_class=HTMLResponse)
    def post(
        request: Request,
        namespace: str,
        name: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(RUN)],
    ) -> Response:
        """A step was filled in: kept as a draft, then on, back, drawn again, or started."""
        path = wizard.paths.get(namespace, name)
        return _Post(wizard, path, principal, pairs).answer(request)

    @routes.post("/create/{namespace}/{name}/drafts")
    def prefill(
        namespace: str,
        name: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(RUN)],
    ) -> Response:
        """A new draft with answers from elsewhere: "run again with these inputs"."""
        path = wizard.paths.get(namespace, name)
        again = (pairs.last("run") or "")[:100]
        draft = wizard.drafts.begin(principal, path, None, pairs.last("formData") or "", again)
        return RedirectResponse(address(path, wizard.drafts.save(path, draft, draft.values, 0), 0), 303)

    @routes.post("/create/{namespace}/{name}/discard")
    def discard(
        namespace: str,
        name: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(RUN)],
    ) -> Response:
        """Throw a draft away."""
        path = wizard.paths.get(namespace, name)
        wizard.drafts.discard(principal, path, pairs.last("_draft") or "")
        return RedirectResponse("/create", 303)


def _notice(path: GoldenPath, wanted: str | None, found: Draft | None) -> str:
    if wanted and found is None:
        return "That draft is not there any more: it expired or was for another form. Here is a new one."
    if found is not None and found.version != path.version:
        return "This golden path changed since the draft was begun. Please check your answers."
    return ""


class _Post:
    """One post of a step."""

    def __init__(self, wizard: Wizard, path: GoldenPath, principal: Principal, pairs: Pairs) -> None:
        self._wizard = wizard
        self._path = path
        self._principal = principal
        self._pairs = pairs
        self._refused: dict[str, str] = {}
        self._action = pairs.last("_action") or ""
        self._operation = pairs.last("_op") or ""
        number = pairs.last("_step") or "0"
        self._step = min(int(number), len(path.pages)) if number.isdecimal() else 0

    def answer(self, request: Request) -> Response:
        """Do it."""
        wizard, path = self._wizard, self._path
        prefill = self._pairs.last("_prefill") or ""
        ident = self._pairs.last("_draft")
        found = wizard.drafts.find(self._principal, path, ident)
        rerun = self._pairs.last("_rerun") or ""
        about = (path.attach_to and self._pairs.last("_entity")) or ""
        draft = found or wizard.drafts.begin(self._principal, path, ident, prefill, rerun[:100], about[:300])
        if draft.run_id:
            return moved(request, f"/runs/{draft.run_id}")
        if found is None and (self._step or self._action == "create"):
            # Not the first step, and yet no draft: it expired in the meantime.
            return moved(request, address(path, draft, 0))
        draft = self._keep(draft)
        if self._action == "create":
            return wizard.start(request, path, self._principal, draft, self._pairs.last("_plan") or None)
        if self._action == "back":
            return moved(request, address(path, draft, max(self._step - 1, 0)))
        return self._next(request, draft) if self._action == "next" else self._again(request, draft)

    def _keep(self, draft: Draft) -> Draft:
        path = self._path
        if self._step >= len(path.pages):
            return draft
        # Secrets are kept when somebody goes on, not with every key that is pressed.
        finished = bool(self._action or self._operation)
        posted = parse(
            path.pages[self._step],
            self._pairs,
            draft.values,
            self._operation,
            keep_secrets=finished,
            custom=self._wizard.pickers.controls,
        )
        values = self._wizard.named(path.pages[self._step], posted.values) if finished else posted.values
        wrong = secret_faults(path.secrets_schema, posted.secrets, complete=False)
        self._refused = {fault.name: fault.message for fault in wrong if fault.name in posted.secrets}
        kept = {name: text for name, text in posted.secrets.items() if name not in self._refused}
        return self._wizard.drafts.save(path, draft, values, self._step, kept)

    def _next(self, request: Request, draft: Draft) -> Response:
        wizard, path = self._wizard, self._path
        if self._step >= len(path.pages):
            return moved(request, address(path, draft, self._step))
        page = wizard.base(path, self._principal, draft, self._step)
        page = wizard.form(path, self._principal, page, checked=True, refused=self._refused)
        if page.problems:
            return wizard.show(request, path, self._principal, page, 422)
        return moved(request, address(path, draft, self._step + 1))

    def _again(self, request: Request, draft: Draft) -> Response:
        wizard, path = self._wizard, self._path
        if not is_fragment(request):
            return RedirectResponse(address(path, draft, self._step), 303)
        step = min(self._step, len(path.pages) - 1)
        checked = self._pairs.last("_checked") == "1" and not self._operation
        page = wizard.base(path, self._principal, draft, step)
        page = wizard.form(path, self._principal, page, checked=checked, focus=False)
        answer = wizard.show(request, path, self._principal, page)
        answer.headers["HX-Replace-Url"] = address(path, draft, step)
        return answer
