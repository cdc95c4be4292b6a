"""The vault's key: where it comes from, and sealing with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from flagstone.foundation.vault.model import Envelope
from flagstone.kernel.errors import Invalid, Unavailable

_NONCE = 12


class VaultKey:
    """32 bytes that wrap other keys. ``id`` is stored beside what it wrapped, so that a wrong key is known as such."""

    def __init__(self, material: bytes) -> None:
        if len(material) != 32:
            raise Invalid(
                "vault.bad_key",
                f"The vault key has {len(material)} bytes, it needs 32.",
                hint="Make one with: head -c 32 /dev/urandom | base64",
            )
        self._wrapping = _derive(material, "wrap")
        self._naming = _derive(material, "fingerprint")
        self.id = hashlib.sha256(_derive(material, "id")).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"VaultKey({self.id})"

    def seal(self, name: str, version: int, value: str) -> Envelope:
        """Encrypt a value under a fresh key of its own, bound to name and version."""
        own = AESGCM.generate_key(256)
        return Envelope(
            name,
            version,
            self.id,
            _encrypt(self._wrapping, own, name, version),
            _encrypt(own, value.encode(), name, version),
            self.fingerprint(value),
        )

    def open(self, envelope: Envelope) -> str:
        """The value. Raises Unavailable when the key is another one or the row was changed."""
        return _decrypt(self._unwrap(envelope), envelope.ciphertext, envelope.name, envelope.version).decode()

    def rewrap(self, envelope: Envelope, new: VaultKey) -> Envelope:
        """The same secret under another vault key; the value is not decrypted."""
        wrapped = _encrypt(new._wrapping, self._unwrap(envelope), envelope.name, envelope.version)
        return Envelope(envelope.name, envelope.version, new.id, wrapped, envelope.ciphertext, envelope.fingerprint)

    def fingerprint(self, value: str) -> str:
        """Twelve hex digits of a keyed hash."""
        return hmac.new(self._naming, value.encode(), hashlib.sha256).hexdigest()[:12]

    def _unwrap(self, envelope: Envelope) -> bytes:
        if envelope.key_id != self.id:
            raise Unavailable(
                "vault.wrong_key",
                f"The secret {envelope.name!r} was written with vault key {envelope.key_id}, but this is {self.id}.",
                hint="Start with the key of this database: setting vault.key, or vault.key in the data folder.",
            )
        return _decrypt(self._wrapping, envelope.wrapped_key, envelope.name, envelope.version)


def load_key(setting: SecretStr, path: Path) -> VaultKey:
    """The key of the setting, else of the file, which is made at the first start, readable by its owner only.

    Raises Invalid when it is not 32 bytes in base64, Unavailable when the file cannot be read or written.
    """
    text = setting.get_secret_value()
    if text:
        return VaultKey(_decode(text, "the setting vault.key"))
    try:
        _create(path)
        return VaultKey(_decode(path.read_text(encoding="ascii"), str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            "vault.no_key",
            f"The vault key {path} cannot be read or written: {error}.",
            hint="Check the folder's owner and mode, or set vault.key.",
        ) from error


def _create(path: Path) -> None:
    """Write a new key unless one is there. The link makes it appear whole or not at all, once for several starters."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(base64.b64encode(os.urandom(32)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(
            "vault.bad_key", f"{where} is not base64.", hint="Make one with: head -c 32 /dev/urandom | base64"
        ) from error


def _derive(material: bytes, purpose: str) -> bytes:
    return hmac.new(material, f"flagstone vault {purpose}".encode(), hashlib.sha256).digest()


def _encrypt(key: bytes, plain: bytes, name: str, version: int) -> str:
    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, f"{name}|{version}".encode())).decode()


def _decrypt(key: bytes, text: str, name: str, version: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], f"{name}|{version}".encode())
    except (InvalidTag, ValueError) as error:
        raise Unavailable(
            "vault.damaged",
            f"The secret {name!r} cannot be decrypted: its row was changed after it was written.",
            hint="Set the secret again, or restore the database.",
        ) from error
