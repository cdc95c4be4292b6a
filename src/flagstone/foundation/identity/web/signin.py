"""Signing in by password or link, and signing out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.foundation.access import public
from flagstone.foundation.identity.model import RateLimited
from flagstone.foundation.identity.service import IdentityService, SignedIn
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, Unauthenticated
from flagstone.toolkit.web.pages import Pages

Anyone = Annotated[Principal, public("whoever signs in is not signed in yet")]
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
"""Not ``no-referrer``: browsers then send ``Origin: null`` with the form, which cannot be told from another site's."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The sign-in form."""

    username: str = ""
    next: str = "/"
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The page that a one-time link opens; it asks for a click, because mail scanners open links, too."""

    username: str
    display_name: str
    action: str
    works: bool


def safe_next(target: str) -> str:
    """Where to go after signing in: a page of this site, never another one.

    Browsers read two slashes, or a slash and a backslash, as another site, and drop tabs and line breaks before that.
    """
    if not target.startswith("/") or target.startswith(("//", "/\\", "/login", "/logout")):
        return "/"
    if "\\" in target or not target.isprintable() or len(target) > 2000:
        return "/"
    return target


def signin_router(service: IdentityService, pages: Pages) -> APIRouter:
    """``/login``, ``/login/link/{token}``, ``/logout``."""
    web = APIRouter()
    _by_password(web, service, pages)
    _by_link(web, service, pages)
    _logout(web, service)
    return web


def _by_password(web: APIRouter, service: IdentityService, pages: Pages) -> None:
    @web.get("/login")
    def login_page(request: Request, principal: Anyone, next: str = "/") -> Response:  # noqa: A002  the name in the address
        if principal.kind == "user":
            return RedirectResponse(_ascii(safe_next(next)), 303)
        return pages.render(request, "identity/login.html", LoginPage(next=safe_next(next)), headers=_PRIVATE)

    @web.post("/login")
    def login(
        request: Request,
        _: Anyone,
        username: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",  # noqa: A002
    ) -> Response:
        try:
            signed_in = service.sign_in(username, password, address=_address(request), user_agent=_agent(request))
        except (Unauthenticated, RateLimited) as error:
            return _again(
                request, pages, LoginPage(username[:100], safe_next(next), error.message, error.hint or ""), error
            )
        return _welcome(request, service, signed_in, safe_next(next))


def _by_link(web: APIRouter, service: IdentityService, pages: Pages) -> None:
    @web.get("/login/link/{token}")
    def link_page(request: Request, token: str, _: Anyone) -> Response:
        account = service.link_account(token)
        page = LinkPage(
            account.username if account else "",
            account.display_name if account else "",
            request.url.path,
            account is not None,
        )
        status = 200 if account is not None else 410
        return pages.render(request, "identity/link.html", page, status=status, headers=_PRIVATE)

    @web.post("/login/link/{token}")
    def use_link(request: Request, token: str, _: Anyone) -> Response:
        try:
            signed_in = service.sign_in_with_link(token, address=_address(request), user_agent=_agent(request))
        except Unauthenticated:
            page = LinkPage("", "", request.url.path, works=False)
            return pages.render(request, "identity/link.html", page, status=410, headers=_PRIVATE)
        target = "/" if signed_in.account.has_password else "/me/password?first=1"
        return _welcome(request, service, signed_in, target)


def _logout(web: APIRouter, service: IdentityService) -> None:
    @web.post("/logout")
    def logout(
        request: Request, principal: Annotated[Principal, public("signing out when nobody is signed in is fine")]
    ) -> Response:
        session = getattr(request.state, "session", None)
        if session is not None:
            service.sessions.end(service.account_of(principal), session.id, actor=principal)
        response = RedirectResponse("/login", 303)
        request.state.new_session = ""
        return response


def _welcome(request: Request, service: IdentityService, signed_in: SignedIn, target: str) -> Response:
    # a session that this browser had before ends: nobody goes on with a secret that was planted
    before = getattr(request.state, "session", None)
    if before is not None and before.user_id == signed_in.account.id:
        service.sessions.end(signed_in.account, before.id, actor=service.principal_of(signed_in.account))
    response = RedirectResponse(_ascii(target), 303)
    request.state.new_session = signed_in.secret
    return response


def _again(request: Request, pages: Pages, page: LoginPage, error: FlagstoneError) -> Response:
    headers = dict(_PRIVATE)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    status = error.status if isinstance(error, RateLimited) else 422
    return pages.render(request, "identity/login.html", page, status=status, headers=headers)


def _ascii(target: str) -> str:
    return quote(target, safe="/?&=%#:@!$'()*+,;~[]-._")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
