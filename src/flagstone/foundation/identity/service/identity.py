"""Signing in, and telling who sent a request."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from starlette.requests import HTTPConnection

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.identity.model import Account, Link, NewToken, hash_secret, new_secret
from flagstone.foundation.identity.service.accounts import Accounts
from flagstone.foundation.identity.service.context import Context
from flagstone.foundation.identity.service.passwords import Passwords
from flagstone.foundation.identity.service.sessions import Sessions, SignedIn
from flagstone.foundation.identity.service.throttle import Throttle
from flagstone.foundation.identity.service.tokens import Tokens
from flagstone.foundation.identity.settings import IdentitySettings
from flagstone.foundation.identity.store import AccountStore, LinkStore, ThrottleStore
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Unauthenticated
from flagstone.toolkit.db import Database

log = logging.getLogger("flagstone.identity")

FIRST_ADMIN = "admin"
_SYSTEM = system("identity")


class IdentityService:
    """The door of the slice. :attr:`accounts`, :attr:`sessions` and :attr:`tokens` hold the rest."""

    def __init__(
        self,
        db: Database,
        access: AccessService,
        audit: AuditLog,
        settings: IdentitySettings | None = None,
        *,
        now: Now = utc_now,
    ) -> None:
        settings = settings or IdentitySettings()
        self._context = Context(db, access, audit, settings, now)
        self._passwords = Passwords(settings)
        self._store = AccountStore(db)
        self._links = LinkStore(db)
        self._throttle = Throttle(ThrottleStore(db), settings, now)
        self.settings = settings
        self.accounts = Accounts(self._context, self._passwords, self._throttle)
        self.sessions = Sessions(self._context)
        self.tokens = Tokens(self._context)

    def principal_for_token(self, text: str, *, via: str = "api") -> Principal:
        """Who a token speaks for. Raises Unauthenticated for a token that does not work."""
        info, account = self.tokens.find(text)
        return self._context.principal(account, via=via, scopes=info.scopes)

    def principal_of(self, account: Account, *, via: str = "ui") -> Principal:
        """The principal of an account that is known to act."""
        return self._context.principal(account, via=via)

    def account_of(self, principal: Principal) -> Account:
        """The account behind a principal. Raises NotFound for one without (system, a run)."""
        return self.accounts.by_id(principal.id.removeprefix("user:"))

    def csrf_token(self, request: HTTPConnection) -> str:
        """What forms of this request's session must carry; empty without a session."""
        return str(getattr(request.state, "csrf_token", ""))

    def sign_in(self, username: str, password: str, *, address: str = "", user_agent: str = "") -> SignedIn:
        """Sign in with a password. Raises Unauthenticated (never saying which half was wrong) or RateLimited."""
        account = self._prove(username, password, address)
        return self._begin(account, "password", address, user_agent)

    def token_for_password(
        self, username: str, password: str, name: str, *, address: str = "", days: int | None = None
    ) -> NewToken:
        """Exchange a password for an API token, as `flagstone login` does.

        Raises as :meth:`sign_in` and ``tokens.create``.
        """
        account = self._prove(username, password, address)
        actor = self._context.principal(account, via="cli")
        with self._context.db.write():
            self._context.audit.record(
                actor, "identity.sign_in", f"user:{account.username}", detail={"method": "password"}
            )
            return self.tokens.create(account, name, actor=actor, days=days)

    def make_link(self, account: Account, *, actor: Principal = _SYSTEM) -> Link:
        """A one-time sign-in link for an account; unused earlier ones stop working."""
        now = self._context.now()
        expires_at = now + timedelta(hours=self.settings.link_hours)
        secret = new_secret()
        with self._context.db.write():
            self._links.replace(account.id, hash_secret(secret), now, expires_at)
            detail = {"expires_at": expires_at}
            self._context.audit.record(actor, "identity.link.create", f"user:{account.username}", detail=detail)
        return Link(secret, account.username, expires_at)

    def sign_in_link(self, username: str, base_url: str, *, actor: Principal = _SYSTEM) -> str:
        """The address of a new one-time sign-in link. Raises NotFound for an unknown account."""
        link = self.make_link(self.accounts.get(username), actor=actor)
        return f"{base_url.rstrip('/')}/login/link/{link.token}"

    def link_account(self, token: str) -> Account | None:
        """Whom a link would sign in, without using it up; None when it does not work (any more)."""
        user_id = self._links.usable(hash_secret(token), self._context.now())
        account = self._store.by_id(user_id) if user_id else None
        return account if account is not None and not account.disabled else None

    def sign_in_with_link(self, token: str, *, address: str = "", user_agent: str = "") -> SignedIn:
        """Use a link up. Of several callers exactly one is signed in; Unauthenticated is raised for the others."""
        with self._context.db.write():
            user_id = self._links.consume(hash_secret(token), self._context.now())
            account = self._store.by_id(user_id) if user_id else None
            if account is None or account.disabled:
                raise Unauthenticated(
                    "identity.link_spent",
                    "This sign-in link does not work any more: it was used, replaced, or is too old.",
                    hint="Ask an administrator for a new one, or run `flagstone admin sign-in-link` on the server.",
                )
            return self._begin(account, "link", address, user_agent)

    def ensure_bootstrap(self, base_url: str) -> str | None:
        """While nobody has ever signed in: the address of a fresh link for the first administrator; else None."""
        if not self._store.nobody_signed_in_yet():
            return None
        return self.sign_in_link(self._first_admin().username, base_url)

    def bootstrap_token(self, path: Path) -> None:
        """Take the first administrator's API token from a file, or write one to it when it is missing or empty."""
        self.tokens.bootstrap(self._first_admin(), path, actor=_SYSTEM)

    def housekeeping(self) -> None:
        """Delete sessions, links and counters that have ended. To be called now and then."""
        self.sessions.clean()
        self._links.clean(self._context.now() - timedelta(days=30))
        self._throttle.clean()

    def _first_admin(self) -> Account:
        account = self._store.by_username(FIRST_ADMIN)
        if account is not None:
            return account
        try:
            return self.accounts.create(FIRST_ADMIN, role="admin", display_name="Administrator", actor=_SYSTEM)
        except Conflict:
            # another process that starts at this moment was first
            return self.accounts.get(FIRST_ADMIN)

    def _begin(self, account: Account, method: str, address: str, user_agent: str) -> SignedIn:
        with self._context.db.write() as conn:
            signed_in = self.sessions.begin(account, method=method, address=address, user_agent=user_agent)
            self._store.signed_in(conn, account.id, self._context.now())
            actor = self._context.principal(account, via="ui")
            detail = {"method": method, "address": address}
            self._context.audit.record(actor, "identity.sign_in", f"user:{account.username}", detail=detail)
        return signed_in

    def _prove(self, username: str, password: str, address: str) -> Account:
        """The account of a username and password, after the same work whether it exists or not."""
        username = username.strip().lower()[:100]
        # not audited when it is refused here: whoever floods us must not fill the audit log as well
        self._throttle.attempt(username, address)
        account = self._store.by_username(username)
        stored = self._store.password_hash(account.id if account else "")
        fits = self._passwords.verify(stored, password[:1024])
        if account is None or not fits or account.disabled:
            self._failed(username, address, "wrong username or password" if not fits else "account is disabled")
            raise Unauthenticated(
                "identity.wrong_password",
                "The username or the password is wrong.",
                hint="Forgotten? An administrator can make you a sign-in link.",
            )
        self._throttle.succeeded(username, address)
        if stored is not None and self._passwords.outdated(stored):
            self._store.change(account.id, password_hash=self._passwords.hash(password))
        return account

    def _failed(self, username: str, address: str, why: str) -> None:
        actor = Principal("anonymous", "anonymous", "anonymous", via="ui")
        detail = {"address": address, "reason": why}
        self._context.audit.record(actor, "identity.sign_in", f"user:{username}", outcome="failed", detail=detail)
