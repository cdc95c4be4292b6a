"""The session cookie."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from flagstone.foundation.identity.settings import IdentitySettings

COOKIE = "flagstone_session"


def is_secure(request: HTTPConnection, settings: IdentitySettings, public_url: str) -> bool:
    """Whether the cookie is for HTTPS only."""
    if settings.cookie_secure == "auto":
        return request.url.scheme in ("https", "wss") or public_url.startswith("https://")
    return settings.cookie_secure == "always"


def set_session(response: Response, secret: str, settings: IdentitySettings, *, secure: bool) -> None:
    """Hand a session's secret to the browser. Lax: links from other sites find one signed in, their forms do not."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(settings.session_hours * 3600),
        path="/",
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def clear_session(response: Response, *, secure: bool) -> None:
    """Take it back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=secure)
