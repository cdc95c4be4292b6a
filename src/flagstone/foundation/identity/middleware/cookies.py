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


def session_cookie(secret: str, settings: IdentitySettings, *, secure: bool) -> str:
    """The Set-Cookie header that hands a session's secret to the browser, or takes it back when it is empty.

    Lax: a link from another site finds one signed in, a form of another site does not.
    """
    response = Response()
    life = int(settings.session_hours * 3600) if secret else 0
    response.set_cookie(COOKIE, secret, max_age=life, path="/", httponly=True, samesite="lax", secure=secure)
    return response.headers["set-cookie"]
