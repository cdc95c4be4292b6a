"""The form of API tokens: ``fst_pat_<id, 8>_<secret, 43>_<checksum, 6>``, all base62.

The prefix and the checksum let scanners find leaked tokens, and let us refuse a typing error without asking the
database.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "fst_pat_"
_FORM = re.compile(r"fst_pat_([0-9A-Za-z]{8})_([0-9A-Za-z]{43,100})_([0-9A-Za-z]{6})")
MIN_OPAQUE = 32
MAX_LENGTH = 512


def make_token() -> str:
    """A new token with 256 random bits."""
    head = "".join(secrets.choice(_DIGITS) for _ in range(8))
    body = "".join(secrets.choice(_DIGITS) for _ in range(43))
    start = f"{PREFIX}{head}_{body}"
    return f"{start}_{_checksum(start)}"


def token_id(text: str) -> str | None:
    """The public part of a well-formed token, else None."""
    found = _FORM.fullmatch(text)
    return found.group(1) if found else None


def well_formed(text: str) -> bool:
    """Whether a text could be a token: ours with the right checksum, or an opaque one of at least 32 characters."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > MAX_LENGTH:
        return False
    if not text.startswith(PREFIX):
        return len(text) >= MIN_OPAQUE
    found = _FORM.fullmatch(text)
    return found is not None and found.group(3) == _checksum(text[: -len(found.group(3)) - 1])


def new_secret() -> str:
    """256 random bits, for sessions and links."""
    return secrets.token_urlsafe(32)


def hash_secret(text: str) -> str:
    """What is stored of a secret. One pass of SHA-256 is enough: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    value = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        value, rest = divmod(value, 62)
        digits = _DIGITS[rest] + digits
    return digits
