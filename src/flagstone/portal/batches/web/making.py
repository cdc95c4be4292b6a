"""New batches: what runs for which entities, the answers, the preview, and the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound
from flagstone.kernel.refs import parse_ref
from flagstone.portal.batches.model import PLACES, Answers, Candidate, EntityQuery, Preview
from flagstone.portal.batches.permissions import WRITE
from flagstone.portal.batches.service import BatchPreviews
from flagstone.portal.batches.web.posted import FORM, OTHER, Posted, read_posted
from flagstone.portal.catalog import EntityRow, FacetValue
from flagstone.portal.golden_paths import GoldenPath, Pickers, PlanView, plan_files, read_pairs, read_plan
from flagstone.toolkit.web.forms import Field, Pairs, fields
from flagstone.toolkit.web.pages import Pages

STEPS = ("Entities", "Answers", "Preview")
_FACETS = (
    ("kind", "Kind", "kinds"),
    ("owner", "Owner", "owners"),
    ("type", "Type", "types"),
    ("lifecycle", "Lifecycle", "lifecycles"),
    ("tag", "Tags", "tags"),
)
_SHOWN = 10
_EXAMPLES = 3
ROWS = 50
"""Rows of a preview at a time."""
_LONG = 80


@dataclass(frozen=True, slots=True)
class ChoosePage:
    """What runs, for which entities."""

    paths: tuple[GoldenPath, ...]
    template: str
    query: EntityQuery
    facets: tuple[tuple[str, str, tuple[tuple[str, str, int | None], ...], tuple[str, ...]], ...] = ()
    count: int = 0
    rows: tuple[EntityRow, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Refs to names of what somebody took out."""
    error: FlagstoneError | None = None
    steps: tuple[str, ...] = STEPS


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of the golden path: the same answer for all (``place`` empty), or one out of each entity."""

    field: Field
    src: str
    place: str
    typed: str
    """The place that was typed, where it is none of those that are offered."""
    choices: tuple[tuple[str, str], ...]
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the field."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class AnswersPage:
    """The answers, and how the batch goes."""

    path: GoldenPath
    posted: Posted
    lines: tuple[FieldLine, ...]
    labels: Mapping[str, str]
    count: int
    sample: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Labels of the fields that take secrets."""
    problems: tuple[tuple[str, str, str], ...] = ()
    error: FlagstoneError | None = None
    steps: tuple[str, ...] = STEPS


@dataclass(frozen=True, slots=True)
class RowLine:
    """One entity of a preview, with what is its own among the answers."""

    candidate: Candidate
    own: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """What would be started."""

    path: GoldenPath
    posted: Posted
    preview: Preview
    rows: tuple[RowLine, ...]
    left: int
    """How many rows are not shown yet."""
    after: int
    changed: bool = False
    error: FlagstoneError | None = None
    steps: tuple[str, ...] = STEPS


@dataclass(frozen=True, slots=True)
class PlanPage:
    """The plan for one entity."""

    ref: str
    plan: Any
    facts: Any
    view: PlanView
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Making:
    """Draws the pages of a new batch."""

    previews: BatchPreviews
    pickers: Pickers

    def path(self, template: str) -> GoldenPath:
        """The golden path. Raises NotFound."""
        ref = parse_ref(template, default_kind="template")
        return self.previews.path(ref.namespace, ref.name)

    def choose(self, principal: Principal, template: str, query: EntityQuery) -> ChoosePage:
        """The first page: a template that is attached to something narrows the entities to that."""
        paths = self.previews.paths()
        page = ChoosePage(paths, template, query)
        try:
            if template:
                page = replace(page, query=self.previews.narrowed(self.path(template), query))
            count, found = self.previews.facets(principal, page.query)
            page = replace(page, count=count, facets=self._facets(page.query, found))
            rows = self.previews.find(principal, page.query)
        except FlagstoneError as error:
            return replace(page, error=error)
        return replace(page, rows=rows[:_SHOWN], count=len(rows), left_out=self.previews.titles(page.query.without))

    def _facets(self, query: EntityQuery, found: Mapping[str, Sequence[FacetValue]]) -> Any:
        titles = self.previews.titles(value.value for value in found["owners"])
        return tuple(
            (
                name,
                label,
                tuple(
                    (value.value, titles.get(value.value) or value.value.rpartition("/")[2], value.count)
                    for value in found[key]
                ),
                getattr(query, name),
            )
            for name, label, key in _FACETS
        )

    def answers(
        self,
        principal: Principal,
        path: GoldenPath,
        posted: Posted,
        *,
        checked: bool = False,
        error: FlagstoneError | None = None,
    ) -> AnswersPage:
        """The second page. Raises Invalid when no entity is found, or too many."""
        rows = self.previews.find(principal, posted.query)
        filled = self.previews.filled(path, rows, {})
        samples = [self.previews.sample(path, row, posted.answers) for row in rows[:_EXAMPLES]]
        said = self.previews.faults(path, samples[0]) if checked else {}
        lines: list[FieldLine] = []
        secret: list[str] = []
        for number, page in enumerate(path.pages):
            drawn = fields(page, samples[0], said, self.pickers.controls)
            for item in self.pickers.complete(path, drawn, principal, samples[0]):
                if item.widget == "secret":
                    secret.append(item.label)
                elif item.name not in {line.name for line in lines}:
                    lines.append(_line(path, number, item, posted.answers, filled, samples))
        common = [line for line in lines if not line.place]
        problems = [(line.field.id, line.field.label, line.field.error) for line in common if line.field.error]
        inner = {name.partition("/")[0] for name in said if "/" in name}
        problems += [
            (line.field.id, line.field.label, "Something in it is missing or wrong.")
            for line in common
            if line.name in inner and not line.field.error
        ]
        problems += [(f"f-_{name}", _OPTION_LABELS[name], text) for name, text in posted.faults.items()]
        labels = self.pickers.labels(self.pickers.refs_in(tuple(line.field for line in common)))
        return AnswersPage(
            path=path,
            posted=posted,
            lines=tuple(lines),
            labels=labels,
            count=len(rows),
            sample=tuple(row.title for row in rows[:_EXAMPLES]),
            secret=tuple(secret),
            problems=tuple(problems) if checked else (),
            error=error,
        )

    def preview(self, principal: Principal, path: GoldenPath, posted: Posted, after: int = 0) -> PreviewPage:
        """The third page. Raises Invalid as :meth:`BatchPreviews.prepare` does."""
        preview = self.previews.prepare(principal, path, posted.query, posted.answers)
        return _preview_page(path, posted, preview, after)

    def plan(self, principal: Principal, path: GoldenPath, posted: Posted, ref: str) -> PlanPage:
        """What the run of one entity would do."""
        try:
            candidate = self.previews.candidate(principal, path, posted.query, posted.answers, ref)
        except FlagstoneError as error:
            return PlanPage(ref, None, None, PlanView(error=error))
        judged = self.previews.judge(principal, candidate)
        if judged.plan is None:
            return PlanPage(ref, None, None, PlanView(), judged.reasons)
        facts = read_plan(judged.plan)
        names = self.pickers.labels({found for item in facts.agreements for found in item.refs})
        view = PlanView(judged.plan, facts, plan_files(judged.plan), names=names)
        return PlanPage(candidate.title, judged.plan, facts, view)


_OPTION_LABELS = {"at_once": "Runs at once", "stop_after_failures": "Stop after failures"}


def _line(
    path: GoldenPath,
    number: int,
    item: Field,
    answers: Answers,
    filled: frozenset[str],
    samples: Sequence[Mapping[str, Any]],
) -> FieldLine:
    place = answers.mapped.get(item.name, FORM if item.name in filled and item.name not in answers.fixed else "")
    known = {FORM, *(name for name, _ in PLACES)}
    typed = place if place and place not in known else ""
    own = (OTHER, "another place in it")
    form = ((FORM, "each entity, by the form"),) if item.name in filled else ()
    return FieldLine(
        field=item,
        src=f"{path.href}/_options?{urlencode({'page': number})}",
        place=OTHER if typed or (item.name in answers.mapped and not place) else place,
        typed=typed,
        choices=(("", "the same for all"), *form, *((name, f"each entity: {words}") for name, words in PLACES), own),
        examples=tuple(_short(sample.get(item.name)) for sample in samples) if place else (),
    )


def _short(value: Any) -> str:
    text = "nothing" if value in (None, "", [], {}) else value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _preview_page(path: GoldenPath, posted: Posted, preview: Preview, after: int = 0) -> PreviewPage:
    ordered = (*preview.invalid, *preview.valid)
    shown, varying = ordered[after : after + ROWS], preview.varying
    rows = tuple(
        RowLine(
            item,
            tuple((name, _short(value)) for name, value in item.request.inputs.items() if name in varying)
            if item.request
            else (),
        )
        for item in shown
    )
    return PreviewPage(path, posted, preview, rows, max(len(ordered) - after - len(shown), 0), after + len(shown))


@dataclass(frozen=True, slots=True)
class _Post:
    """A posted form with what it is about."""

    path: GoldenPath
    posted: Posted
    action: str


def making_routes(routes: APIRouter, making: Making, pages: Pages) -> None:
    """Add them."""
    _choosing(routes, making, pages)
    _answering(routes, making, pages)
    _previewing(routes, making, pages)


def _read(making: Making, pairs: Pairs) -> _Post:
    path = making.path(pairs.last("_template") or "")
    return _Post(path, read_posted(pairs, path), pairs.last("_action") or "")


class _Again:
    """Draws the form of the answers again."""

    def __init__(self, making: Making, pages: Pages) -> None:
        self._making = making
        self._pages = pages

    def __call__(
        self,
        request: Request,
        principal: Principal,
        post: _Post,
        *,
        checked: bool = False,
        error: FlagstoneError | None = None,
    ) -> Response:
        page = self._making.answers(principal, post.path, post.posted, checked=checked, error=error)
        status = 422 if page.problems else error.status if error else 200
        return self._pages.render(
            request, "batches/answers.html", page, status=status, fragment="batches/_answers.html"
        )


def _choosing(routes: APIRouter, making: Making, pages: Pages) -> None:
    @routes.get("/batches/new", response_class=HTMLResponse)
    def choose(request: Request, principal: Annotated[Principal, permit(WRITE)], template: str = "") -> Response:
        """Which golden path, for which entities; the filters are those of the catalog's list."""
        page = making.choose(principal, template, EntityQuery.of_pairs(request.query_params.multi_items()))
        return pages.render(request, "batches/choose.html", page, fragment="batches/_found.html")

    @routes.get("/batches/new/answers", response_class=HTMLResponse)
    def show_answers(request: Request, principal: Annotated[Principal, permit(WRITE)], template: str = "") -> Response:
        """The form of the golden path, where each field may be filled in from the entities."""
        query = EntityQuery.of_pairs(request.query_params.multi_items())
        try:
            path = making.path(template)
            page = making.answers(principal, path, Posted(f"{path.namespace}/{path.name}", query, Answers()))
        except (Invalid, NotFound) as error:
            chosen = replace(making.choose(principal, template, query), error=error)
            return pages.render(request, "batches/choose.html", chosen, status=error.status)
        return pages.render(request, "batches/answers.html", page, fragment="batches/_answers.html")


def _answering(routes: APIRouter, making: Making, pages: Pages) -> None:
    again = _Again(making, pages)

    @routes.post("/batches/new/answers", response_class=HTMLResponse)
    def post_answers(
        request: Request,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Draw the form again, or go on to the preview."""
        post = _read(making, pairs)
        leaving_out = pairs.last("_without") is not None
        if (post.action != "preview" and not leaving_out) or post.posted.operation:
            return again(request, principal, post)
        page = making.answers(principal, post.path, post.posted, checked=True)
        if page.problems:
            return pages.render(request, "batches/answers.html", page, status=422)
        try:
            shown = making.preview(principal, post.path, post.posted)
        except Invalid as error:
            return again(request, principal, post, error=error)
        return pages.render(request, "batches/preview.html", shown)


def _previewing(routes: APIRouter, making: Making, pages: Pages) -> None:
    again = _Again(making, pages)

    @routes.post("/batches/new/rows", response_class=HTMLResponse)
    def more_rows(
        request: Request,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Further entities of a preview."""
        post = _read(making, pairs)
        after = pairs.last("_after") or "0"
        shown = making.preview(principal, post.path, post.posted, int(after) if after.isdecimal() else 0)
        return pages.render(request, "batches/_rows.html", shown)

    @routes.post("/batches/new/plan", response_class=HTMLResponse)
    def show_plan(
        request: Request,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """The plan of one entity, for the preview."""
        post = _read(making, pairs)
        page = making.plan(principal, post.path, post.posted, pairs.last("_ref") or "")
        return pages.render(request, "batches/_plan.html", page)

    @routes.post("/batches/new/start", response_class=HTMLResponse)
    def start(
        request: Request,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Start what was previewed, and go to the page of the batch."""
        post = _read(making, pairs)
        if post.action == "edit" or post.posted.faults:
            return again(request, principal, post, checked=bool(post.posted.faults))
        preview = making.previews.prepare(principal, post.path, post.posted.query, post.posted.answers)
        try:
            made = making.previews.start(
                principal,
                preview,
                post.posted.options,
                digest=post.posted.digest,
                leave_out_invalid=post.posted.leave_out,
                key=post.posted.key,
            )
        except FlagstoneError as error:
            changed = isinstance(error, Conflict) and error.code == "batches.preview_changed"
            page = replace(
                _preview_page(post.path, post.posted, preview), changed=changed, error=None if changed else error
            )
            return pages.render(request, "batches/preview.html", page, status=error.status)
        return RedirectResponse(f"/batches/{made.id}", 303)
