"""API tokens."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from flagstone.foundation.identity.model import (
    Account,
    NewToken,
    TokenInfo,
    hash_secret,
    make_token,
    token_id,
    well_formed,
)
from flagstone.foundation.identity.service.cache import Cache
from flagstone.foundation.identity.service.context import Context
from flagstone.foundation.identity.store import TokenStore
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, Invalid, NotFound, Problem, Unauthenticated, Unavailable

log = logging.getLogger("flagstone.identity")

_TTL = 5.0
_USED_EVERY = timedelta(minutes=10)
_BOOTSTRAP_LIFE = timedelta(days=366)


class Tokens:
    """Makes, finds and revokes tokens."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = TokenStore(context.db)
        self._cache: Cache[tuple[TokenInfo, Account]] = Cache(_TTL)
        context.forget.append(self._cache.clear)

    def create(
        self,
        account: Account,
        name: str,
        *,
        actor: Principal,
        scopes: Sequence[str] | None = None,
        days: int | None = None,
    ) -> NewToken:
        """A new token; its text is shown this once. ``scopes`` None: everything that the account may.

        Raises Invalid listing every fault, Denied when a scoped token asks for more than it has itself.
        """
        settings = self._context.settings
        life = settings.token_days if days is None else days
        faults = []
        if not name.strip() or len(name) > 100 or not name.isprintable():
            faults.append(Problem("give it a name of 1 to 100 characters", field="name"))
        if not 1 <= life <= settings.token_max_days:
            faults.append(Problem(f"between 1 and {settings.token_max_days} days", field="days"))
        unknown = [scope for scope in scopes or () if not self._context.access.knows_scope(scope)]
        if scopes is not None and not scopes:
            faults.append(Problem("choose at least one scope", field="scopes"))
        if unknown:
            hint = f"there are {', '.join(self._context.access.scopes())}, and every permission by name"
            faults.append(Problem(f"unknown: {', '.join(unknown)[:200]}", field="scopes", hint=hint))
        if faults:
            raise Invalid("identity.bad_token", "The token cannot be made.", problems=faults)
        if actor.scopes is not None and not (scopes is not None and set(scopes) <= actor.scopes):
            raise Denied(
                "identity.token_widens",
                "A token cannot make one that may more than itself.",
                hint=f"Ask for scopes among {', '.join(sorted(actor.scopes))}, or sign in at /me/tokens.",
            )
        text = make_token()
        info = self._write(account, text, name.strip(), "personal", scopes, timedelta(days=life), actor)
        return NewToken(text, info)

    def find(self, text: str) -> tuple[TokenInfo, Account]:
        """A working token and its account. Raises Unauthenticated for anything else."""
        if not well_formed(text):
            raise _refused("it is not one that Flagstone made, or was copied in part")
        key = hash_secret(text)
        generation = self._cache.generation
        found = self._cache.get(key)
        if found is None:
            found = self._store.find(key)
            if found is None:
                raise _refused("it is not known here")
            self._cache.put(key, found, generation)
        info, account = found
        state = info.state(self._context.now())
        if state != "active":
            raise _refused(f"it {'was revoked' if state == 'revoked' else 'has expired'}")
        if account.disabled:
            raise _refused("its owner's account is disabled")
        return found

    def needs_touch(self, info: TokenInfo) -> bool:
        """Whether :meth:`touch` is due: last use is kept to ten minutes."""
        return info.used_at is None or self._context.now() - info.used_at > _USED_EVERY

    def touch(self, info: TokenInfo) -> None:
        """Remember that a token is in use."""
        self._store.change(info.id, used_at=self._context.now())
        self._cache.clear()

    def list(self, user_id: str) -> list[TokenInfo]:
        """All tokens of an account, newest first."""
        return self._store.of_user(user_id)

    def revoke(self, account: Account, token: str, *, actor: Principal) -> None:
        """Revoke by id, at once. Raises NotFound when the account has no such working token."""
        with self._context.db.write():
            if not self._store.revoke(account.id, token, self._context.now()):
                raise NotFound("identity.no_token", "There is no such token, or it was revoked already.")
            self._context.changed()
            detail = {"token_id": token}
            self._context.audit.record(actor, "identity.token.revoke", f"user:{account.username}", detail=detail)

    def bootstrap(self, account: Account, path: Path, *, actor: Principal) -> None:
        """Make the text in a file an administrator's token, or make a token and write it there.

        The file decides: at later starts the same text changes nothing, another text replaces the first. Raises Invalid
        for a text that is too short, Unavailable when the file cannot be read or written.
        """
        try:
            text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
            fresh = not text
            if fresh:
                text = make_token()
                _write_private(path, text)
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                "identity.bootstrap_file", f"The token file {path} cannot be read or written: {error}."
            ) from error
        if not well_formed(text):
            raise Invalid(
                "identity.bad_bootstrap_token",
                f"The text in {path} cannot be a token.",
                hint="Use at least 32 characters without spaces, or an empty file: then a token is written to it.",
            )
        with self._context.db.write():
            self._adopt(account, text, actor)
        if fresh:
            log.info("an administrator's API token was written to %s", path)

    def _adopt(self, account: Account, text: str, actor: Principal) -> None:
        now, key = self._context.now(), hash_secret(text)
        known = self._store.find(key)
        if known is not None and known[0].state(now) == "revoked":
            log.warning("the token in the bootstrap file was revoked and stays so")
            return
        for info, other in self._store.of_kind("bootstrap"):
            if other != key:
                self.revoke(account, info.id, actor=actor)
        if known is None:
            self._write(account, text, "first start", "bootstrap", None, _BOOTSTRAP_LIFE, actor)
        elif known[0].kind == "bootstrap":
            # whoever keeps the file keeps the token: it must not end one year after the installation
            self._store.change(known[0].id, expires_at=now + _BOOTSTRAP_LIFE)
            self._context.changed()

    def _write(
        self,
        account: Account,
        text: str,
        name: str,
        kind: str,
        scopes: Sequence[str] | None,
        life: timedelta,
        actor: Principal,
    ) -> TokenInfo:
        now = self._context.now()
        public = token_id(text) or hash_secret(text)[:8]
        info = TokenInfo(
            id=public,
            user_id=account.id,
            name=name,
            kind=kind,
            scopes=tuple(sorted(set(scopes))) if scopes is not None else None,
            created_at=now,
            expires_at=now + life,
            used_at=None,
            revoked_at=None,
        )
        with self._context.db.write():
            self._store.add(info, hash_secret(text))
            detail = {"token_id": public, "name": name, "scopes": info.scopes, "expires_at": info.expires_at}
            self._context.audit.record(actor, "identity.token.create", f"user:{account.username}", detail=detail)
        return info


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text + "\n")


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(
        "identity.bad_token",
        f"The API token is refused: {why}.",
        hint="Make a new one at /me/tokens, or sign in with `flagstone login`.",
    )
