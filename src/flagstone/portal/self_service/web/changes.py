"""``/repositories/{project}/{name}/changes``: change requests of the built-in git hosting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from flagstone.contracts.repositories import (
    BranchView,
    ChangeRequestDetail,
    ChangeRequestView,
    ChangeState,
    FileDiff,
    MergeChangeRequest,
    MergeMethod,
    OpenChangeRequest,
    RepositoryView,
)
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound
from flagstone.portal.self_service.permissions import REPOSITORY_CHANGE, REPOSITORY_READ
from flagstone.portal.self_service.service import EntityActions
from flagstone.toolkit.web.diff import DiffLine
from flagstone.toolkit.web.markdown import render_markdown
from flagstone.toolkit.web.pages import Pages

Reader = Annotated[Principal, permit(REPOSITORY_READ)]
Writer = Annotated[Principal, permit(REPOSITORY_CHANGE)]
Shown = Literal["open", "merged", "closed", "all"]

_OPEN_FILES = 20
"""More files than this are folded at first."""


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Change requests of a repository in one state."""

    repository: RepositoryView
    changes: tuple[ChangeRequestView, ...]
    state: Shown
    total: int | None
    more_href: str | None
    can_open: bool


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file with its difference as lines to draw."""

    file: FileDiff
    lines: tuple[DiffLine, ...]
    anchor: str
    open: bool


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One change request. ``notice`` says why the last thing that was asked for was not done."""

    repository: RepositoryView
    change: ChangeRequestDetail
    text: Markup | None
    files: tuple[ShownFile, ...]
    additions: int
    deletions: int
    notice: str
    hint: str


@dataclass(frozen=True, slots=True)
class NewChangePage:
    """The form for a new change request."""

    repository: RepositoryView
    branches: tuple[BranchView, ...]
    branch: str
    base: str
    title: str
    text: str
    error: str


def lines_of(file: FileDiff) -> tuple[DiffLine, ...]:
    """The lines of a file, with a gap wherever unchanged lines are left out."""
    found: list[DiffLine] = []
    last = 0
    for hunk in file.hunks:
        first = next((line.old for line in hunk.lines if line.old), None)
        if first is not None and first > last + 1:
            found.append(DiffLine("gap", skipped=first - last - 1))
        found += [DiffLine(line.kind, line.text, line.old, line.new) for line in hunk.lines]
        last = max([last, *(line.old for line in hunk.lines if line.old)])
    return tuple(found)


def changes_of(name: str) -> str:
    """The list of change requests of a repository."""
    return f"/repositories/{quote(name)}/changes"


class _Desk:
    """Reads and changes change requests for the pages."""

    def __init__(self, actions: EntityActions) -> None:
        self.gateway = actions.gateway

    def list(self, principal: Principal, name: str, state: Shown, cursor: str | None, *, can_open: bool) -> ChangesPage:
        """A page of them."""
        repository = self.gateway.get_repository(name, principal)
        states: tuple[ChangeState, ...] = () if state == "all" else (state,)
        found = self.gateway.list_changes(name, principal, state=states, cursor=cursor)
        query = urlencode({"state": state, "cursor": found.next_cursor})
        more = f"{changes_of(name)}?{query}" if found.next_cursor else None
        return ChangesPage(repository, tuple(found.items), state, found.total, more, can_open)

    def page(self, principal: Principal, name: str, number: int, error: FlagstoneError | None = None) -> ChangePage:
        """One of them. Raises NotFound."""
        change = self.gateway.get_change(name, number, principal)
        folded = len(change.files) > _OPEN_FILES
        files = tuple(
            ShownFile(file, lines_of(file), f"file-{place}", not folded) for place, file in enumerate(change.files)
        )
        text = render_markdown(change.text, base_url="") if change.text.strip() else None
        return ChangePage(
            repository=self.gateway.get_repository(name, principal),
            change=change,
            text=Markup(text) if text else None,  # noqa: S704  cleaned by the renderer
            files=files,
            additions=sum(file.additions for file in change.files),
            deletions=sum(file.deletions for file in change.files),
            notice=error.message if error else "",
            hint=(error.hint or "") if error else "",
        )

    def form(self, principal: Principal, name: str, wanted: NewForm, error: str = "") -> NewChangePage:
        """The form, filled in as far as it was."""
        repository = self.gateway.get_repository(name, principal)
        branches = tuple(self.gateway.list_branches(name, principal))
        others = [item.name for item in branches if item.name != repository.default_branch]
        branch = wanted.branch or (others[0] if others else "")
        subject = next((item.subject for item in branches if item.name == branch), "")
        base = wanted.base or repository.default_branch
        return NewChangePage(repository, branches, branch, base, wanted.title or subject, wanted.text, error)


@dataclass(frozen=True, slots=True)
class NewForm:
    """What somebody typed."""

    branch: str = ""
    base: str = ""
    title: str = ""
    text: str = ""


def change_routes(routes: APIRouter, actions: EntityActions, pages: Pages) -> None:
    """Add the pages of change requests."""
    desk = _Desk(actions)
    _opening(routes, desk, pages)
    _turning(routes, desk, pages)

    @routes.get("/repositories/{project}/{name}/changes", response_class=HTMLResponse)
    def list_changes(
        request: Request,
        project: str,
        name: str,
        principal: Reader,
        state: Shown = "open",
        cursor: str | None = None,
    ) -> Response:
        """Change requests of a repository, newest first."""
        can_open = request.app.state.access.decide(principal, REPOSITORY_CHANGE).allowed
        page = desk.list(principal, f"{project}/{name}", state, cursor, can_open=can_open)
        fragment = "self_service/_change_rows.html" if cursor else None
        return pages.render(request, "self_service/changes.html", page, fragment=fragment)

    @routes.get("/repositories/{project}/{name}/changes/{number}", response_class=HTMLResponse)
    def show_change(request: Request, project: str, name: str, number: int, principal: Reader) -> Response:
        """One of them, with its difference."""
        page = desk.page(principal, f"{project}/{name}", number)
        return pages.render(request, "self_service/change.html", page)


def _opening(routes: APIRouter, desk: _Desk, pages: Pages) -> None:
    """The form. Before the page of one of them: ``new`` is no number."""

    @routes.get("/repositories/{project}/{name}/changes/new", response_class=HTMLResponse)
    def new_change(
        request: Request,
        project: str,
        name: str,
        principal: Writer,
        branch: Annotated[str, Query(max_length=300)] = "",
    ) -> Response:
        """The form for a new one."""
        page = desk.form(principal, f"{project}/{name}", NewForm(branch=branch))
        return pages.render(request, "self_service/change_new.html", page)

    @routes.post("/repositories/{project}/{name}/changes/new", response_class=HTMLResponse)
    def open_change(
        request: Request,
        project: str,
        name: str,
        principal: Writer,
        branch: Annotated[str, Form(max_length=300)] = "",
        base: Annotated[str, Form(max_length=300)] = "",
        title: Annotated[str, Form(max_length=300)] = "",
        text: Annotated[str, Form(max_length=60_000)] = "",
    ) -> Response:
        """Open it, or say what is wrong with it."""
        repository = f"{project}/{name}"
        wanted = NewForm(branch, base, title.strip(), text)
        if not wanted.title:
            page = desk.form(principal, repository, wanted, "Give it a title.")
            return pages.render(request, "self_service/change_new.html", page, status=422)
        try:
            made = desk.gateway.open_change(
                repository, OpenChangeRequest(title=wanted.title, text=text, branch=branch, base=base), principal
            )
        except (Conflict, Invalid, NotFound) as error:
            page = desk.form(principal, repository, wanted, error.message)
            return pages.render(request, "self_service/change_new.html", page, status=422)
        return RedirectResponse(f"{changes_of(repository)}/{made.number}", 303)


def _turning(routes: APIRouter, desk: _Desk, pages: Pages) -> None:
    """Merge, close, open again."""

    def answer(request: Request, name: str, number: int, principal: Principal, error: Conflict | None) -> Response:
        if error is None:
            return RedirectResponse(f"{changes_of(name)}/{number}", 303)
        return pages.render(
            request, "self_service/change.html", desk.page(principal, name, number, error), status=error.status
        )

    @routes.post("/repositories/{project}/{name}/changes/{number}/merge", response_class=HTMLResponse)
    def merge_change(
        request: Request,
        project: str,
        name: str,
        number: int,
        principal: Writer,
        head: Annotated[str, Form(max_length=64)] = "",
        method: Annotated[MergeMethod, Form()] = "merge",
    ) -> Response:
        """Merge what was looked at."""
        repository, refused = f"{project}/{name}", None
        try:
            desk.gateway.merge_change(repository, number, MergeChangeRequest(head=head, method=method), principal)
        except Conflict as error:
            refused = error
        return answer(request, repository, number, principal, refused)

    @routes.post("/repositories/{project}/{name}/changes/{number}/{verb}", response_class=HTMLResponse)
    def turn_change(
        request: Request, project: str, name: str, number: int, verb: Literal["close", "reopen"], principal: Writer
    ) -> Response:
        """Close it, or open it again."""
        repository, refused = f"{project}/{name}", None
        turn = desk.gateway.close_change if verb == "close" else desk.gateway.reopen_change
        try:
            turn(repository, number, principal)
        except Conflict as error:
            refused = error
        return answer(request, repository, number, principal, refused)
