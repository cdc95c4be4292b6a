"""Sessions of browsers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import timedelta

from flagstone.foundation.identity.model import Account, SessionInfo, hash_secret, new_secret
from flagstone.foundation.identity.service.cache import Cache
from flagstone.foundation.identity.service.context import Context
from flagstone.foundation.identity.store import SessionStore
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.kernel.ids import new_id

_TTL = 5.0
_SEEN_EVERY = timedelta(minutes=5)
"""``seen_at`` is written no more often than this: it costs a transaction."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session at the only moment when its secret is known: the value of the cookie."""

    secret: str
    info: SessionInfo
    account: Account


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = SessionStore(context.db)
        self._cache: Cache[tuple[SessionInfo, Account]] = Cache(_TTL)
        context.forget.append(self._cache.clear)

    def begin(self, account: Account, *, method: str, address: str, user_agent: str) -> SignedIn:
        """A new session, within the current transaction."""
        now = self._context.now()
        secret = new_secret()
        info = SessionInfo(
            id=new_id(),
            user_id=account.id,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(hours=self._context.settings.session_hours),
            address=address[:64],
            user_agent="".join(char for char in user_agent[:300] if char.isprintable()),
            method=method,
        )
        self._store.add(info, hash_secret(secret))
        return SignedIn(secret, info, account)

    def find(self, secret: str) -> tuple[SessionInfo, Account] | None:
        """The session of a cookie's value with its account; None when it ended or the account is disabled."""
        key = hash_secret(secret)
        generation = self._cache.generation
        found = self._cache.get(key)
        if found is None:
            found = self._store.find(key)
            if found is None:
                return None
            self._cache.put(key, found, generation)
        info, account = found
        if account.disabled or not self._alive(info):
            return None
        return found

    def needs_touch(self, info: SessionInfo) -> bool:
        """Whether :meth:`touch` is due."""
        return self._context.now() - info.seen_at > _SEEN_EVERY

    def touch(self, secret: str, info: SessionInfo, account: Account) -> None:
        """Remember that a session is in use."""
        now = self._context.now()
        self._store.seen(info.id, now)
        self._cache.put(hash_secret(secret), (replace(info, seen_at=now), account), self._cache.generation)

    def list(self, user_id: str) -> list[SessionInfo]:
        """Living sessions of an account, the one used last first."""
        return [info for info in self._store.of_user(user_id) if self._alive(info)]

    def end(self, account: Account, session_id: str, *, actor: Principal) -> None:
        """End one. Raises NotFound when the account has no such session."""
        with self._context.db.write():
            if not self._store.delete(account.id, session_id):
                raise NotFound("identity.no_session", "There is no such session.", hint="It may have ended by itself.")
            self._context.changed()
            detail = {"session_id": session_id}
            self._context.audit.record(actor, "identity.session.end", f"user:{account.username}", detail=detail)

    def end_others(self, account: Account, keep: str | None, *, actor: Principal) -> int:
        """End all but one; returns how many."""
        with self._context.db.write():
            ended = self._store.delete_all(account.id, keep)
            self._context.changed()
            detail = {"sessions_ended": ended}
            self._context.audit.record(actor, "identity.session.end", f"user:{account.username}", detail=detail)
        return ended

    def clean(self) -> None:
        """Delete sessions that have ended."""
        self._store.clean(self._context.now())

    def _alive(self, info: SessionInfo) -> bool:
        now = self._context.now()
        idle = timedelta(hours=self._context.settings.session_idle_hours)
        return now < info.expires_at and now - info.seen_at < idle


def csrf_token(secret: str) -> str:
    """The token that forms of a session carry. Made from the cookie's secret, which no other site can read."""
    digest = hmac.new(secret.encode(), b"flagstone csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
