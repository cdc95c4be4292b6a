"""Queries over accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from flagstone.foundation.identity.model import Account
from flagstone.foundation.identity.store.tables import users
from flagstone.kernel.actor import ROLES
from flagstone.toolkit.db import Database, insert_ignore

ACCOUNT_COLUMNS = (
    users.c.id.label("user_id"),
    users.c.username,
    users.c.display_name,
    users.c.email,
    users.c.role,
    users.c.entity_ref,
    users.c.disabled,
    (users.c.password_hash.is_not(None)).label("has_password"),
    users.c.created_at.label("user_created_at"),
    users.c.signed_in_at,
)
"""For joins, too: names that no other table here has."""


def account_of(row: Any) -> Account:
    """The account in a row of :data:`ACCOUNT_COLUMNS`."""
    return Account(
        id=row["user_id"],
        username=row["username"],
        display_name=row["display_name"],
        email=row["email"],
        role=next(role for role in ROLES if role == row["role"]),
        entity_ref=row["entity_ref"],
        disabled=bool(row["disabled"]),
        has_password=bool(row["has_password"]),
        created_at=row["user_created_at"],
        signed_in_at=row["signed_in_at"],
    )


class AccountStore:
    """Accounts of one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def by_id(self, user_id: str) -> Account | None:
        """One account."""
        return self._one(users.c.id == user_id)

    def by_username(self, username: str) -> Account | None:
        """One account by its exact username."""
        return self._one(users.c.username == username)

    def password_hash(self, user_id: str) -> str | None:
        """The hash of its password, if it has one."""
        with self.db.read() as conn:
            return conn.execute(select(users.c.password_hash).where(users.c.id == user_id)).scalar()

    def nobody_signed_in_yet(self) -> bool:
        """Whether no account was ever used from a browser."""
        with self.db.read() as conn:
            query = select(users.c.id).where(users.c.signed_in_at.is_not(None)).limit(1)
            return conn.execute(query).first() is None

    def add(self, row: dict[str, Any]) -> bool:
        """Add an account; False when the username is taken."""
        with self.db.write() as conn:
            return insert_ignore(conn, users, row, key=["username"]) == 1

    def change(self, user_id: str, **values: Any) -> None:
        """Set columns of an account."""
        with self.db.write() as conn:
            conn.execute(update(users).where(users.c.id == user_id).values(**values))

    def other_admins(self, user_id: str) -> int:
        """How many administrators there would be without this one; they are held until the transaction ends."""
        with self.db.write() as conn:
            query = (
                select(users.c.id)
                .where(users.c.role == "admin", users.c.disabled.is_(False))
                .order_by(users.c.id)
                .with_for_update()
            )
            return sum(1 for found in conn.execute(query).scalars() if found != user_id)

    def signed_in(self, conn: Connection, user_id: str, at: datetime) -> None:
        """Remember the moment."""
        conn.execute(update(users).where(users.c.id == user_id).values(signed_in_at=at))

    def page(self, text: str, after: str, limit: int) -> list[Account]:
        """Accounts by username that contain a text."""
        query = select(*ACCOUNT_COLUMNS).where(users.c.username > after).order_by(users.c.username).limit(limit)
        if text:
            query = query.where(
                or_(
                    users.c.username.contains(text.lower(), autoescape=True),
                    func.lower(users.c.display_name).contains(text.lower(), autoescape=True),
                )
            )
        with self.db.read() as conn:
            return [account_of(row) for row in conn.execute(query).mappings()]

    def _one(self, condition: Any) -> Account | None:
        with self.db.read() as conn:
            row = conn.execute(select(*ACCOUNT_COLUMNS).where(condition)).mappings().first()
            return account_of(row) if row else None
