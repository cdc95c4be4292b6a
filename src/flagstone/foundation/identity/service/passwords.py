"""Hashing passwords (Argon2id), with the same work for every answer."""

from __future__ import annotations

import base64
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from flagstone.foundation.identity.settings import IdentitySettings


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_rounds, memory_cost=settings.password_memory_kib, parallelism=1
        )
        # Checked when there is no account or no password, so that the time taken does not tell which accounts exist.
        # No password fits it, and making it costs nothing at a start.
        salt, nothing = (_encoded(secrets.token_bytes(size)) for size in (self._hasher.salt_len, self._hasher.hash_len))
        costs = f"m={settings.password_memory_kib},t={settings.password_rounds},p=1"
        self._decoy = f"$argon2id$v=19${costs}${salt}${nothing}"

    def hash(self, password: str) -> str:
        """The hash to store."""
        return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password fits; False for None, after the same work."""
        try:
            self._hasher.verify(stored or self._decoy, password)
        except (Argon2Error, InvalidHashError):
            return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)
