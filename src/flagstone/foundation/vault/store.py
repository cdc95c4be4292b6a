"""The table of the vault."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, delete, select, update

from flagstone.foundation.vault.model import Envelope, SecretInfo
from flagstone.toolkit.db import Database, UtcDateTime, upsert

metadata = MetaData()

secrets = Table(
    "vault_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", Text, nullable=False),
    Column("ciphertext", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("used_at", UtcDateTime),
)

_ENVELOPE = (
    secrets.c.name,
    secrets.c.version,
    secrets.c.key_id,
    secrets.c.wrapped_key,
    secrets.c.ciphertext,
    secrets.c.fingerprint,
)
_INFO = (
    secrets.c.name,
    secrets.c.version,
    secrets.c.fingerprint,
    secrets.c.created_at,
    secrets.c.created_by,
    secrets.c.used_at,
)


class VaultStore:
    """Reads and writes envelopes."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def envelope(self, name: str) -> Envelope | None:
        """The sealed secret."""
        with self.db.read() as conn:
            row = conn.execute(select(*_ENVELOPE).where(secrets.c.name == name).with_for_update()).mappings().first()
            return Envelope(**row) if row else None

    def infos(self, after: str, limit: int) -> list[SecretInfo]:
        """Names after a name, in order."""
        query = select(*_INFO).where(secrets.c.name > after).order_by(secrets.c.name).limit(limit)
        with self.db.read() as conn:
            return [SecretInfo(**row) for row in conn.execute(query).mappings()]

    def named(self, prefix: str) -> list[SecretInfo]:
        """Those whose names begin with a text; SQLite makes no difference between capitals and small letters here."""
        query = select(*_INFO).where(secrets.c.name.startswith(prefix, autoescape=True)).order_by(secrets.c.name)
        with self.db.read() as conn:
            return [SecretInfo(**row) for row in conn.execute(query).mappings()]

    def save(self, envelope: Envelope, created_at: datetime, created_by: str) -> None:
        """Write a secret's newest version over the one before."""
        row: dict[str, Any] = _columns(envelope) | {"created_at": created_at, "created_by": created_by, "used_at": None}
        with self.db.write() as conn:
            upsert(conn, secrets, row, key=["name"], update=[name for name in row if name != "name"])

    def envelopes(self) -> list[Envelope]:
        """All sealed secrets, held until the transaction ends."""
        with self.db.read() as conn:
            query = select(*_ENVELOPE).order_by(secrets.c.name).with_for_update()
            return [Envelope(**row) for row in conn.execute(query).mappings()]

    def replace(self, envelope: Envelope) -> None:
        """The same version, wrapped by another key."""
        with self.db.write() as conn:
            conn.execute(update(secrets).where(secrets.c.name == envelope.name).values(_columns(envelope)))

    def used(self, name: str, at: datetime) -> None:
        """Remember when it was used last."""
        with self.db.write() as conn:
            conn.execute(update(secrets).where(secrets.c.name == name).values(used_at=at))

    def delete(self, name: str) -> bool:
        """False when there was none."""
        with self.db.write() as conn:
            return conn.execute(delete(secrets).where(secrets.c.name == name)).rowcount > 0


def _columns(envelope: Envelope) -> dict[str, Any]:
    return {
        "name": envelope.name,
        "version": envelope.version,
        "key_id": envelope.key_id,
        "wrapped_key": envelope.wrapped_key,
        "ciphertext": envelope.ciphertext,
        "fingerprint": envelope.fingerprint,
    }
