"""Finding the principal of a request: claim, bearer, basic, session, else nobody."""

from __future__ import annotations

import base64
import binascii
import time
from collections import defaultdict, deque
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagstone.contracts.claims import HEADER as CLAIM_HEADER
from flagstone.contracts.claims import verify_actor
from flagstone.foundation.identity.middleware.cookies import COOKIE, is_secure, session_cookie
from flagstone.foundation.identity.middleware.origin import SAFE, check_origin, check_token
from flagstone.foundation.identity.model import RateLimited
from flagstone.foundation.identity.service import IdentityService
from flagstone.foundation.identity.service.sessions import csrf_token
from flagstone.kernel.actor import ANONYMOUS, Principal
from flagstone.kernel.errors import FlagstoneError, Unauthenticated

_QUIET = ("/static/", "/healthz", "/readyz")
_BAD_TOKENS_PER_MINUTE = 30


class IdentityMiddleware:
    """Sets ``request.state.principal``, ``.session`` and ``.csrf_token``. A wrong credential is refused, never ignored.

    A route that signs somebody in sets ``request.state.new_session`` to the secret (empty: signed out); the cookie
    follows.
    ``actor_secret`` is shared by portal and platform of a split deployment; empty refuses every claim.
    """

    def __init__(
        self, app: ASGIApp, *, identity: IdentityService, public_url: str = "", actor_secret: str = ""
    ) -> None:
        self.app = app
        self._identity = identity
        self._public_url = public_url
        self._actor_secret = actor_secret
        self._failures = _Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["principal"] = ANONYMOUS
        try:
            if not scope["path"].startswith(_QUIET):
                receive = await self._identify(scope, receive)
        except FlagstoneError as error:
            await self._refuse(error, scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            secret = state.get("new_session")
            if secret is not None and message["type"] == "http.response.start":
                secure = is_secure(HTTPConnection(scope), self._identity.settings, self._public_url)
                cookie = session_cookie(secret, self._identity.settings, secure=secure)
                message["headers"] = [*message.get("headers", ()), (b"set-cookie", cookie.encode("latin-1"))]
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    async def _identify(self, scope: Scope, receive: Receive) -> Receive:
        state, headers = scope["state"], Headers(scope=scope)
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        claim, credential = headers.get(CLAIM_HEADER), headers.get("authorization")
        if claim is not None:
            state["principal"] = self._claimed(claim)
            return receive
        if credential is not None:
            state["principal"] = await self._by_token(scope, headers, credential)
            if unsafe:
                check_origin(headers, self._public_url)
            return receive
        if unsafe:
            check_origin(headers, self._public_url)
        secret = HTTPConnection(scope).cookies.get(COOKIE)
        found = self._identity.sessions.find(secret) if secret else None
        if secret is None or found is None:
            return receive
        info, account = found
        if self._identity.sessions.needs_touch(info):
            await run_in_threadpool(self._identity.sessions.touch, secret, info, account)
        state["session"] = info
        state["csrf_token"] = csrf_token(secret)
        if unsafe and scope["type"] == "http":
            receive = await check_token(scope, receive, state["csrf_token"])
        state["principal"] = self._identity.principal_of(account)
        return receive

    def _claimed(self, claim: str) -> Principal:
        if not self._actor_secret:
            raise Unauthenticated(
                "identity.no_claims",
                f"This server takes no {CLAIM_HEADER}.",
                hint="Set platform.secret to the same text on portal and platform.",
            )
        return verify_actor(claim, self._actor_secret)

    async def _by_token(self, scope: Scope, headers: Headers, credential: str) -> Principal:
        address = scope["client"][0] if scope.get("client") else ""
        try:
            scheme, text = _token_in(credential)
            via = (
                "git"
                if scheme == "basic"
                else "cli"
                if headers.get("user-agent", "").startswith("flagstone")
                else "api"
            )
            info, account = self._identity.tokens.find(text)
        except Unauthenticated:
            self._failures.add(address)
            raise
        if self._identity.tokens.needs_touch(info):
            await run_in_threadpool(self._identity.tokens.touch, info)
        principal = self._identity.principal_of(account, via=via)
        return principal if info.scopes is None else replace(principal, scopes=frozenset(info.scopes))

    async def _refuse(self, error: FlagstoneError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        handler = getattr(scope.get("app"), "exception_handlers", {}).get(FlagstoneError)
        response: Response = (
            await handler(request, error)
            if handler is not None
            else JSONResponse(error.as_dict(), error.status, media_type="application/problem+json")
        )
        if error.status == 401:
            is_git = scope["path"].startswith("/git/")
            response.headers["WWW-Authenticate"] = (
                'Basic realm="Flagstone"' if is_git else 'Bearer error="invalid_token"'
            )
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
        await response(scope, receive, send)


class _Failures:
    """Refused credentials by address within the last minute, of this process.

    Good ones are never held up: behind a proxy one address may be everybody.
    """

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(deque)

    def add(self, address: str) -> None:
        """Count one. Raises RateLimited when there were too many."""
        if len(self._times) > 10_000:
            self._times.clear()
        times, now = self._times[address], time.monotonic()
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= _BAD_TOKENS_PER_MINUTE:
            raise RateLimited(
                "identity.too_many_bad_tokens",
                "Too many requests with a wrong token came from this address.",
                hint="Mend the token, then wait a minute.",
                retry_after=60 - (now - times[0]),
            )
        times.append(now)


def _token_in(credential: str) -> tuple[str, str]:
    """(scheme, token) of an Authorization header. Raises Unauthenticated for what cannot be one."""
    scheme, _, rest = credential.strip().partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if scheme == "bearer":
        return scheme, rest
    if scheme == "basic":
        try:
            username, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise Unauthenticated("identity.bad_credential", "The Basic credential is not valid base64.") from error
        # some git clients send the token as the username
        return scheme, password or username
    raise Unauthenticated(
        "identity.bad_credential",
        "The Authorization header has a scheme that is not known here.",
        hint="Send `Authorization: Bearer TOKEN`; git sends the token as the password.",
    )
