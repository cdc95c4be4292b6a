"""Section ``[identity]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class IdentitySettings(SettingsModel):
    """Section ``[identity]``: sessions, tokens, passwords, sign-in limits."""

    session_idle_hours: float = Field(8, gt=0, le=720)
    """Hours after which an unused session ends."""
    session_hours: float = Field(168, gt=0, le=8760)
    """Hours after which every session ends."""
    token_days: int = Field(90, ge=1, le=366)
    """Days that an API token lives unless its maker says otherwise."""
    token_max_days: int = Field(366, ge=1, le=366)
    """The most days that an API token may be given."""
    cookie_secure: Literal["auto", "always", "never"] = "auto"
    """Whether the session cookie is for HTTPS only: ``auto`` follows the address that people use."""
    logins_per_account: int = Field(5, ge=1, le=1000)
    """Failed sign-ins of one account before each further one has to wait, twice as long every time."""
    logins_per_address: int = Field(20, ge=1, le=100_000)
    """Failed sign-ins from one network address before it has to wait."""
    link_hours: float = Field(24, gt=0, le=720)
    """Hours that a one-time sign-in link works."""
    password_memory_kib: int = Field(19_456, ge=8)
    """Memory of one password hash (Argon2id). Lower it in tests only."""
    password_rounds: int = Field(2, ge=1, le=100)
    """Passes of one password hash (Argon2id)."""
