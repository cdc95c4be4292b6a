"""Queries over links, sessions, tokens and throttles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from flagstone.foundation.identity.model import Account, SessionInfo, TokenInfo
from flagstone.foundation.identity.store.accounts import ACCOUNT_COLUMNS, account_of
from flagstone.foundation.identity.store.tables import links, sessions, throttles, tokens, users
from flagstone.toolkit.db import Database, insert_ignore

_SESSION = (
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.created_at,
    sessions.c.seen_at,
    sessions.c.expires_at,
    sessions.c.address,
    sessions.c.user_agent,
    sessions.c.method,
)
_TOKEN = (
    tokens.c.id,
    tokens.c.user_id,
    tokens.c.name,
    tokens.c.kind,
    tokens.c.scopes,
    tokens.c.created_at,
    tokens.c.expires_at,
    tokens.c.used_at,
    tokens.c.revoked_at,
)


class LinkStore:
    """One-time links."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def replace(self, user_id: str, token_hash: str, now: datetime, expires_at: datetime) -> None:
        """Write a link; earlier unused ones of the same account stop working."""
        with self.db.write() as conn:
            conn.execute(delete(links).where(links.c.user_id == user_id, links.c.used_at.is_(None)))
            row = {"token_hash": token_hash, "user_id": user_id, "created_at": now, "expires_at": expires_at}
            conn.execute(insert(links), row)

    def usable(self, token_hash: str, now: datetime) -> str | None:
        """The account of a link that still works."""
        query = select(links.c.user_id).where(
            links.c.token_hash == token_hash, links.c.used_at.is_(None), links.c.expires_at > now
        )
        with self.db.read() as conn:
            return conn.execute(query).scalar()

    def consume(self, token_hash: str, now: datetime) -> str | None:
        """Use a link up; its account for exactly one caller, None for every other."""
        statement = (
            update(links)
            .where(links.c.token_hash == token_hash, links.c.used_at.is_(None), links.c.expires_at > now)
            .values(used_at=now)
        )
        with self.db.write() as conn:
            if conn.execute(statement).rowcount != 1:
                return None
            return conn.execute(select(links.c.user_id).where(links.c.token_hash == token_hash)).scalar()

    def forget(self, user_id: str) -> None:
        """Make the unused links of an account worthless."""
        with self.db.write() as conn:
            conn.execute(delete(links).where(links.c.user_id == user_id, links.c.used_at.is_(None)))

    def clean(self, before: datetime) -> None:
        """Delete links that ended before a moment."""
        with self.db.write() as conn:
            conn.execute(delete(links).where(links.c.expires_at < before))


class SessionStore:
    """Sessions of browsers."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, info: SessionInfo, token_hash: str) -> None:
        """Write a session."""
        row = {column.name: getattr(info, column.name) for column in _SESSION} | {"token_hash": token_hash}
        with self.db.write() as conn:
            conn.execute(insert(sessions), row)

    def find(self, token_hash: str) -> tuple[SessionInfo, Account] | None:
        """A session and its account, by one indexed read."""
        query = (
            select(*_SESSION, *(column for column in ACCOUNT_COLUMNS if column.key != "user_id"))
            .join_from(sessions, users, users.c.id == sessions.c.user_id)
            .where(sessions.c.token_hash == token_hash)
        )
        with self.db.read() as conn:
            row = conn.execute(query).mappings().first()
            return (_session_of(row), account_of(row)) if row else None

    def of_user(self, user_id: str) -> list[SessionInfo]:
        """Sessions of an account, the one seen last first."""
        query = select(*_SESSION).where(sessions.c.user_id == user_id).order_by(sessions.c.seen_at.desc())
        with self.db.read() as conn:
            return [_session_of(row) for row in conn.execute(query).mappings()]

    def seen(self, session_id: str, at: datetime) -> None:
        """Remember when it was used last."""
        with self.db.write() as conn:
            conn.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=at))

    def delete(self, user_id: str, session_id: str) -> bool:
        """End one; False when the account has no such session."""
        with self.db.write() as conn:
            done = conn.execute(delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id == session_id))
            return done.rowcount > 0

    def delete_all(self, user_id: str, keep: str | None) -> int:
        """End all of an account but one."""
        statement = delete(sessions).where(sessions.c.user_id == user_id)
        if keep is not None:
            statement = statement.where(sessions.c.id != keep)
        with self.db.write() as conn:
            return int(conn.execute(statement).rowcount)

    def clean(self, now: datetime) -> None:
        """Delete those that have ended."""
        with self.db.write() as conn:
            conn.execute(delete(sessions).where(sessions.c.expires_at < now))


class TokenStore:
    """API tokens."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, info: TokenInfo, token_hash: str) -> None:
        """Write a token."""
        row: dict[str, Any] = {column.name: getattr(info, column.name) for column in _TOKEN}
        row |= {"token_hash": token_hash, "scopes": list(info.scopes) if info.scopes is not None else None}
        with self.db.write() as conn:
            conn.execute(insert(tokens), row)

    def find(self, token_hash: str) -> tuple[TokenInfo, Account] | None:
        """A token and its account, by one indexed read."""
        query = (
            select(*_TOKEN, *(column for column in ACCOUNT_COLUMNS if column.key != "user_id"))
            .join_from(tokens, users, users.c.id == tokens.c.user_id)
            .where(tokens.c.token_hash == token_hash)
        )
        with self.db.read() as conn:
            row = conn.execute(query).mappings().first()
            return (_token_of(row), account_of(row)) if row else None

    def of_user(self, user_id: str) -> list[TokenInfo]:
        """Tokens of an account, newest first, with those that no longer work."""
        query = select(*_TOKEN).where(tokens.c.user_id == user_id).order_by(tokens.c.created_at.desc(), tokens.c.id)
        with self.db.read() as conn:
            return [_token_of(row) for row in conn.execute(query).mappings()]

    def of_kind(self, kind: str) -> list[tuple[TokenInfo, str]]:
        """Tokens of a kind that were not revoked, with their hashes."""
        query = select(*_TOKEN, tokens.c.token_hash).where(tokens.c.kind == kind, tokens.c.revoked_at.is_(None))
        with self.db.read() as conn:
            return [(_token_of(row), row["token_hash"]) for row in conn.execute(query).mappings()]

    def change(self, token_id: str, **values: Any) -> None:
        """Set columns of a token."""
        with self.db.write() as conn:
            conn.execute(update(tokens).where(tokens.c.id == token_id).values(**values))

    def revoke(self, user_id: str, token_id: str, now: datetime) -> bool:
        """Revoke one; False when the account has no such working token."""
        statement = (
            update(tokens)
            .where(tokens.c.user_id == user_id, tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        with self.db.write() as conn:
            return conn.execute(statement).rowcount > 0


class ThrottleStore:
    """Failed tries by key (an account, an address)."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def take(self, key: str, now: datetime) -> tuple[int, datetime, datetime | None]:
        """(failures, last, blocked until) of a key, held until the transaction ends."""
        with self.db.write() as conn:
            insert_ignore(
                conn, throttles, {"key": key, "failures": 0, "last_at": now, "blocked_until": None}, key=["key"]
            )
            row = conn.execute(select(throttles).where(throttles.c.key == key).with_for_update()).mappings().one()
            return row["failures"], row["last_at"], row["blocked_until"]

    def put(self, key: str, failures: int, last_at: datetime, blocked_until: datetime | None) -> None:
        """Write a key."""
        values = {"failures": failures, "last_at": last_at, "blocked_until": blocked_until}
        with self.db.write() as conn:
            conn.execute(update(throttles).where(throttles.c.key == key).values(**values))

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self.db.write() as conn:
            conn.execute(delete(throttles).where(throttles.c.key == key))

    def clean(self, before: datetime) -> None:
        """Forget keys that were quiet since a moment."""
        with self.db.write() as conn:
            conn.execute(delete(throttles).where(throttles.c.last_at < before))


def _session_of(row: Any) -> SessionInfo:
    return SessionInfo(**{column.name: row[column.name] for column in _SESSION})


def _token_of(row: Any) -> TokenInfo:
    values = {column.name: row[column.name] for column in _TOKEN}
    scopes = values["scopes"]
    return TokenInfo(**values | {"scopes": tuple(scopes) if scopes is not None else None})
