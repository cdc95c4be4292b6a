"""Values of the vault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,198}[A-Za-z0-9])?")
MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What anybody may know of a secret."""

    name: str
    version: int
    fingerprint: str
    """Twelve hex digits that differ when values differ; made with the vault's key, so nobody can guess from them."""
    created_at: datetime
    created_by: str
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A secret as it lies in the database. Base64 text; each part starts with its 12-byte nonce."""

    name: str
    version: int
    key_id: str
    wrapped_key: str
    ciphertext: str
    fingerprint: str
