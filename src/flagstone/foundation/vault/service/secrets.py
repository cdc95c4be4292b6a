"""Setting, using, deleting secrets, and changing the vault's key."""

from __future__ import annotations

from pydantic import SecretStr

from flagstone.foundation.audit import AuditLog
from flagstone.foundation.vault.model import MAX_BYTES, NAME, SecretInfo
from flagstone.foundation.vault.service.keys import VaultKey
from flagstone.foundation.vault.store import VaultStore
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.toolkit.db import Database

_SYSTEM = system("vault")


class VaultService:
    """Secrets by name. Permissions are checked by the caller; every change and every use is audited."""

    def __init__(self, db: Database, key: VaultKey, audit: AuditLog, *, now: Now = utc_now) -> None:
        self._db = db
        self._store = VaultStore(db)
        self._key = key
        self._audit = audit
        self._now = now
        self._prefixes: set[str] = set()

    def keep(self, prefix: str) -> None:
        """Say that what begins so is kept for a part of the product: nobody sets or deletes it by hand."""
        self._prefixes.add(prefix)

    def is_kept(self, name: str) -> bool:
        """Whether a secret is kept for a part of the product."""
        return name.startswith(tuple(self._prefixes))

    def put_by_hand(self, name: str, value: SecretStr, *, actor: Principal) -> SecretInfo:
        """What :meth:`put` does, for people: raises Conflict (``vault.kept``) for what is kept for the product."""
        self._refuse_kept(name)
        return self.put(name, value, actor=actor)

    def delete_by_hand(self, name: str, *, actor: Principal) -> None:
        """What :meth:`delete` does, for people: raises Conflict (``vault.kept``) for what is kept for the product."""
        self._refuse_kept(name)
        self.delete(name, actor=actor)

    def _refuse_kept(self, name: str) -> None:
        if self.is_kept(name):
            raise Conflict(
                "vault.kept",
                f"The secret {name!r:.220} belongs to something that Flagstone keeps itself.",
                hint="It goes with the run, the batch or the resource that it belongs to. Choose another name.",
            )

    def put(self, name: str, value: SecretStr, *, actor: Principal = _SYSTEM) -> SecretInfo:
        """Set a secret: a new version. Raises Invalid for a bad name, an empty or too large value."""
        text = _checked(name, value)
        now = self._now()
        with self._db.write():
            before = self._store.envelope(name)
            envelope = self._key.seal(name, before.version + 1 if before else 1, text)
            self._store.save(envelope, now, actor.name)
            self._audit.record(
                actor,
                "vault.secret.write",
                f"secret:{name}",
                detail={"version": envelope.version, "fingerprint": envelope.fingerprint},
            )
        return SecretInfo(name, envelope.version, envelope.fingerprint, now, actor.name)

    def use(self, name: str, *, actor: Principal = _SYSTEM, purpose: str = "") -> str:
        """The value, for the process that needs it; audited. Raises NotFound, or Unavailable under a wrong key."""
        with self._db.write():
            envelope = self._store.envelope(name)
            if envelope is None:
                raise NotFound(
                    "vault.no_secret",
                    f"There is no secret {name!r}.",
                    hint="Set it under Admin, Secrets, or with `flagstone secrets set NAME`.",
                )
            value = self._key.open(envelope)
            self._store.used(name, self._now())
            detail = {"version": envelope.version, "purpose": purpose}
            self._audit.record(actor, "vault.secret.use", f"secret:{name}", detail=detail)
        return value

    def delete(self, name: str, *, actor: Principal = _SYSTEM) -> None:
        """Delete a secret and all it was. Raises NotFound."""
        with self._db.write():
            if not self._store.delete(name):
                raise NotFound("vault.no_secret", f"There is no secret {name!r}.")
            self._audit.record(actor, "vault.secret.delete", f"secret:{name}")

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Page[SecretInfo]:
        """Secrets by name, without their values."""
        size = clamp_limit(limit)
        after = str(decode_cursor(cursor)[0]) if cursor else ""
        found = self._store.infos(after, size + 1)
        return Page(tuple(found[:size]), encode_cursor(found[size - 1].name) if len(found) > size else None)

    def under(self, prefix: str) -> tuple[SecretInfo, ...]:
        """Secrets whose names begin with a text, without their values: those that a part of the product keeps."""
        return tuple(info for info in self._store.named(prefix) if info.name.startswith(prefix))

    def rotate_key(self, new: VaultKey, *, actor: Principal = _SYSTEM) -> int:
        """Wrap every secret with another key, all or none; returns how many. Put the new key in place afterwards.

        Raises Unavailable when one was not written with the present key.
        """
        with self._db.write():
            envelopes = self._store.envelopes()
            for envelope in envelopes:
                self._store.replace(self._key.rewrap(envelope, new))
            detail = {"from": self._key.id, "to": new.id, "secrets": len(envelopes)}
            self._audit.record(actor, "vault.key.rotate", "vault", detail=detail)
        self._key = new
        return len(envelopes)

    def check_key(self) -> None:
        """Raise Unavailable when the secrets in the database were written with another key."""
        for envelope in self._store.envelopes():
            self._key.open(envelope)
            return


def _checked(name: str, value: SecretStr) -> str:
    if not NAME.fullmatch(name):
        raise Invalid(
            "vault.bad_name",
            f"{name[:80]!r} is not a name for a secret.",
            hint="Letters, digits, '.', '_', '-' and '/', at most 200, with a letter or digit at both ends.",
        )
    text = value.get_secret_value()
    if not text:
        raise Invalid("vault.empty", f"The secret {name!r} has no value.", hint="Delete it instead.")
    if len(text.encode()) > MAX_BYTES:
        raise Invalid(
            "vault.too_large", f"The value of {name!r} is larger than 64 KiB.", hint="Store a file elsewhere."
        )
    return text
