"""Accounts and what they own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from flagstone.kernel.actor import Role
from flagstone.kernel.errors import Temporary

USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class RateLimited(Temporary):
    """Too many tries; ``retry_after`` says how many seconds to wait."""

    status = 429


@dataclass(frozen=True, slots=True)
class Account:
    """A person (or a machine) that may sign in."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: Role
    entity_ref: str | None
    disabled: bool
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None = None

    @property
    def actor_id(self) -> str:
        """The id of its principals, in audit rows and runs."""
        return f"user:{self.id}"


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time sign-in link, as it is given out. ``token`` is not stored."""

    token: str
    username: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A browser that is signed in."""

    id: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    method: str
    """``password`` or ``link``."""


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """An API token, without its secret."""

    id: str
    user_id: str
    name: str
    kind: str
    """``personal``, or ``bootstrap`` for the one of the first start."""
    scopes: tuple[str, ...] | None
    """None: everything that its owner may."""
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.expires_at > now else "expired"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the only moment when its text is known."""

    text: str
    info: TokenInfo
