"""Accounts: list, add, change role and person, disable, hand out a sign-in link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from flagstone.foundation.access import permit
from flagstone.foundation.identity import Account, IdentityService
from flagstone.kernel.actor import ROLES, Principal, Role
from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.web.pages import Pages

Lister = Annotated[Principal, permit("identity.user.list")]
Writer = Annotated[Principal, permit("identity.user.write")]


@dataclass(frozen=True)
class PeoplePage:
    """A page of accounts and the form for a new one."""

    tabs: tuple[tuple[str, str, str], ...]
    accounts: tuple[Account, ...]
    more: str | None
    q: str
    roles: tuple[Role, ...]
    form: dict[str, str]
    errors: dict[str, str]
    problem: str


@dataclass(frozen=True)
class PersonPage:
    """One account."""

    tabs: tuple[tuple[str, str, str], ...]
    account: Account
    roles: tuple[Role, ...]
    link: str | None
    errors: dict[str, str]
    problem: str


def router(identity: IdentityService, pages: Pages, tabs: tuple[tuple[str, str, str], ...], base_url: str) -> APIRouter:
    """The pages over the accounts."""
    routes = APIRouter(include_in_schema=False)

    def show_list(request: Request, q: str = "", cursor: str | None = None, **form: str) -> Response:
        error = getattr(request.state, "form_error", None)
        found = identity.accounts.list(text=q, cursor=cursor)
        page = PeoplePage(
            tabs, found.items, found.next_cursor, q, ROLES, form, _by_field(error), error.message if error else ""
        )
        status = error.status if error else 200
        return pages.render(request, "admin/people.html", page, fragment="admin/_people_rows.html", status=status)

    def show_one(
        request: Request, account: Account, link: str | None = None, error: FlagstoneError | None = None
    ) -> Response:
        page = PersonPage(tabs, account, ROLES, link, _by_field(error), error.message if error else "")
        return pages.render(request, "admin/person.html", page, status=error.status if error else 200)

    @routes.get("/admin/people")
    def people(request: Request, _: Lister, q: str = "", cursor: str | None = None) -> Response:
        return show_list(request, q, cursor)

    @routes.post("/admin/people")
    def add(
        request: Request,
        principal: Writer,
        username: Annotated[str, Form()] = "",
        display_name: Annotated[str, Form()] = "",
        role: Annotated[Role, Form()] = "developer",
        entity_ref: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            account = identity.accounts.create(
                username, role=role, actor=principal, display_name=display_name, entity_ref=entity_ref or None
            )
        except FlagstoneError as error:
            request.state.form_error = error
            form = {"username": username, "display_name": display_name, "role": role, "entity_ref": entity_ref}
            return show_list(request, **form)
        link = identity.sign_in_link(account.username, base_url or str(request.base_url), actor=principal)
        return show_one(request, account, link)

    @routes.get("/admin/people/{username}")
    def person(request: Request, username: str, _: Lister) -> Response:
        return show_one(request, identity.accounts.get(username))

    @routes.post("/admin/people/{username}")
    def change(
        request: Request,
        username: str,
        principal: Writer,
        display_name: Annotated[str, Form()],
        role: Annotated[Role, Form()],
        entity_ref: Annotated[str, Form()] = "",
        disabled: Annotated[list[str] | None, Form()] = None,
    ) -> Response:
        try:
            identity.accounts.change(
                username,
                actor=principal,
                display_name=display_name,
                role=role,
                entity_ref=entity_ref or None,
                disabled="true" in (disabled or []) or "on" in (disabled or []),
            )
        except FlagstoneError as error:
            return show_one(request, identity.accounts.get(username), error=error)
        return RedirectResponse(f"/admin/people/{username}", 303)

    @routes.post("/admin/people/{username}/link")
    def link(request: Request, username: str, principal: Writer) -> Response:
        made = identity.sign_in_link(username, base_url or str(request.base_url), actor=principal)
        return show_one(request, identity.accounts.get(username), made)

    return routes


def _by_field(error: FlagstoneError | None) -> dict[str, str]:
    return {problem.field: problem.message for problem in error.problems if problem.field} if error else {}
