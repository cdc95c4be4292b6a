"""One's own account: profile, password, sessions, tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.foundation.access import AccessService, permit
from flagstone.foundation.identity.model import Account, SessionInfo, TokenInfo
from flagstone.foundation.identity.service import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Denied, Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.web.pages import Pages

Me = Annotated[Principal, permit("identity.self.read")]
MeChanging = Annotated[Principal, permit("identity.self.write")]

_LINK_GRACE = timedelta(hours=1)
"""How long after a sign-in by link a new password may be set without the old one."""
_DAYS = (7, 30, 90, 180, 366)
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_DONE = {
    "password": "Your password is set. Other browsers were signed out.",
    "session": "The session was ended.",
    "sessions": "All other sessions were ended.",
    "revoked": "The token was revoked. It stopped working at once.",
}


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """Who I am here."""

    account: Account
    entity_path: str | None
    groups: tuple[str, ...]
    done: str = ""
    tab: str = "profile"


@dataclass(frozen=True, slots=True)
class PasswordPage:
    """Setting a password."""

    account: Account
    first: bool
    needs_current: bool
    errors: dict[str, str] = field(default_factory=dict)
    tab: str = "password"


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """Where I am signed in."""

    account: Account
    sessions: tuple[SessionInfo, ...]
    names: dict[str, str]
    """What each browser is called, by session."""
    current: str | None
    done: str = ""
    tab: str = "sessions"


@dataclass(frozen=True, slots=True)
class TokensPage:
    """My tokens, the form for a new one, and a new one at the only moment when it is shown."""

    account: Account
    tokens: tuple[tuple[TokenInfo, str], ...]
    scopes: tuple[tuple[str, str], ...]
    days: tuple[tuple[str, str], ...]
    values: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)
    new_text: str = ""
    new_name: str = ""
    done: str = ""
    tab: str = "tokens"


def profile_router(service: IdentityService, access: AccessService, pages: Pages) -> APIRouter:
    """Everything under ``/me``."""
    web = APIRouter(prefix="/me")
    _profile(web, service, pages)
    _password(web, service, pages)
    _sessions(web, service, pages)
    _tokens(web, service, access, pages)
    return web


def _profile(web: APIRouter, service: IdentityService, pages: Pages) -> None:
    @web.get("")
    def profile(request: Request, principal: Me, done: str = "") -> Response:
        account = service.account_of(principal)
        path = f"/catalog/{parse_ref(account.entity_ref).path}" if account.entity_ref else None
        page = ProfilePage(account, path, tuple(sorted(principal.groups)), _DONE.get(done, ""))
        return pages.render(request, "identity/profile.html", page)


def _password(web: APIRouter, service: IdentityService, pages: Pages) -> None:
    @web.get("/password")
    def password_page(request: Request, principal: Me, first: bool = False) -> Response:
        account = service.account_of(principal)
        page = PasswordPage(account, first, _needs_current(request, account))
        return pages.render(request, "identity/password.html", page)

    @web.post("/password")
    def set_password(
        request: Request,
        principal: MeChanging,
        password: Annotated[str, Form()] = "",
        repeated: Annotated[str, Form()] = "",
        current: Annotated[str, Form()] = "",
        first: Annotated[bool, Form()] = False,
    ) -> Response:
        account, session = service.account_of(principal), _session(request)
        if session is None:
            raise Denied(
                "identity.session_needed",
                "A password can be set from a browser only.",
                hint="Sign in and open /me/password.",
            )
        needs_current = _needs_current(request, account)
        errors: dict[str, str] = {}
        if password != repeated:
            errors["repeated"] = "The two are not the same."
        else:
            try:
                service.accounts.set_password(
                    account,
                    password,
                    actor=principal,
                    current=current,
                    needs_current=needs_current,
                    keep_session=session.id,
                )
            except Invalid as error:
                errors = _by_field(error)
        if errors:
            page = PasswordPage(account, first, needs_current, errors)
            return pages.render(request, "identity/password.html", page, status=422)
        return RedirectResponse("/" if first else "/me?done=password", 303)


def _sessions(web: APIRouter, service: IdentityService, pages: Pages) -> None:
    @web.get("/sessions")
    def sessions_page(request: Request, principal: Me, done: str = "") -> Response:
        account, session = service.account_of(principal), _session(request)
        found = tuple(service.sessions.list(account.id))
        page = SessionsPage(
            account,
            found,
            {item.id: browser_name(item.user_agent) for item in found},
            session.id if session else None,
            _DONE.get(done, ""),
        )
        return pages.render(request, "identity/sessions.html", page)

    @web.post("/sessions/end-others")
    def end_others(request: Request, principal: MeChanging) -> Response:
        session = _session(request)
        service.sessions.end_others(service.account_of(principal), session.id if session else None, actor=principal)
        return RedirectResponse("/me/sessions?done=sessions", 303)

    @web.post("/sessions/{session_id}/end")
    def end_session(session_id: str, principal: MeChanging) -> Response:
        service.sessions.end(service.account_of(principal), session_id, actor=principal)
        return RedirectResponse("/me/sessions?done=session", 303)


def _tokens(web: APIRouter, service: IdentityService, access: AccessService, pages: Pages) -> None:
    def page_of(account: Account, **more: Any) -> TokensPage:
        now, settings = utc_now(), service.settings
        days = sorted({day for day in (*_DAYS, settings.token_days) if day <= settings.token_max_days})
        shown: dict[str, Any] = {"values": {"name": "", "access": "all", "scopes": (), "days": settings.token_days}}
        return TokensPage(
            account,
            tuple((info, info.state(now)) for info in service.tokens.list(account.id)),
            tuple((scope, scope) for scope in access.scopes() if scope not in ("*", "read")),
            tuple((str(day), f"{day} days") for day in days),
            **(shown | more),
        )

    @web.get("/tokens")
    def tokens_page(request: Request, principal: Me, done: str = "") -> Response:
        page = page_of(service.account_of(principal), done=_DONE.get(done, ""))
        return pages.render(request, "identity/tokens.html", page)

    @web.post("/tokens")
    def create_token(
        request: Request,
        principal: MeChanging,
        name: Annotated[str, Form()] = "",
        days: Annotated[int, Form()] = 0,
        access: Annotated[str, Form()] = "all",
        scopes: Annotated[list[str] | None, Form()] = None,
    ) -> Response:
        account = service.account_of(principal)
        wanted = {"all": None, "read": ["read"]}.get(access, scopes or [])
        values = {"name": name, "access": access, "scopes": scopes or (), "days": days}
        try:
            made = service.tokens.create(account, name, actor=principal, scopes=wanted, days=days)
        except Invalid as error:
            page = page_of(account, values=values, errors=_by_field(error))
            return pages.render(request, "identity/tokens.html", page, status=422)
        # shown in the answer itself: a redirect would have to keep the text somewhere
        page = page_of(account, new_text=made.text, new_name=made.info.name)
        return pages.render(request, "identity/tokens.html", page, headers={"Cache-Control": "no-store"})

    @web.post("/tokens/{token_id}/revoke")
    def revoke_token(token_id: str, principal: MeChanging) -> Response:
        service.tokens.revoke(service.account_of(principal), token_id, actor=principal)
        return RedirectResponse("/me/tokens?done=revoked", 303)


def browser_name(user_agent: str) -> str:
    """What people call a browser: ``Firefox on Linux``. The order matters: most of them claim to be all others, too."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser:
        return user_agent[:60] or "Unknown"
    return f"{browser} on {system}" if system else browser


def _session(request: Request) -> SessionInfo | None:
    found = getattr(request.state, "session", None)
    return found if isinstance(found, SessionInfo) else None


def _needs_current(request: Request, account: Account) -> bool:
    session = _session(request)
    by_link = session is not None and session.method == "link" and utc_now() - session.created_at < _LINK_GRACE
    return account.has_password and not by_link


def _by_field(error: Invalid) -> dict[str, str]:
    found: dict[str, str] = {}
    for problem in error.problems:
        text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        found[problem.field or ""] = text[:1].upper() + text[1:]
    return found or {"": error.message}
