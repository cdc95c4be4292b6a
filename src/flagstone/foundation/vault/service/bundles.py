"""The secrets of one thing, such as a run: kept together, found again by its id, deleted together."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import SecretStr

from flagstone.foundation.vault.service.secrets import VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class SecretBundles:
    """Names in the vault are ``<prefix>/<id>/<number>``: what people call a secret need not be a name there.

    The owner of a bundle keeps the names in their order; the values are only in the vault. Ids are those of
    ``kernel.ids``.
    """

    def __init__(self, vault: VaultService, prefix: str) -> None:
        self._vault = vault
        self._prefix = prefix
        vault.keep(f"{prefix}/")
        self._pattern = re.compile(rf"{re.escape(prefix)}/({_ID})/[0-9]+\Z")

    def store(
        self, ident: str, secrets: Mapping[str, SecretStr], actor: Principal, *, known: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Put the values into the vault; returns all names in order. Empty values are left out.

        ``known`` are the names that it has; they keep their places, so that to be killed before the owner writes down
        the new names mixes up nothing.
        """
        given = {name: value for name, value in secrets.items() if value.get_secret_value()}
        names = (*known, *sorted(given.keys() - set(known)))
        for number, name in enumerate(names):
            if name in given:
                self._vault.put(self._name(ident, number), given[name], actor=actor)
        return names

    def read(self, ident: str, names: Sequence[str], actor: Principal, purpose: str) -> dict[str, str]:
        """The values by name, as far as they are still there."""
        found: dict[str, str] = {}
        for number, name in enumerate(names):
            with contextlib.suppress(NotFound):
                found[name] = self._vault.use(self._name(ident, number), actor=actor, purpose=purpose)
        return found

    def discard(self, ident: str) -> None:
        """Delete whatever there is of it."""
        for info in self._vault.under(f"{self._prefix}/{ident}/"):
            with contextlib.suppress(NotFound):
                self._vault.delete(info.name)

    def older_than(self, moment: datetime) -> list[str]:
        """Ids of bundles that hold a value which was written before a moment."""
        found: dict[str, None] = {}
        for info in self._vault.under(f"{self._prefix}/"):
            mine = self._pattern.match(info.name)
            if mine is not None and info.created_at < moment:
                found[mine[1]] = None
        return list(found)

    def _name(self, ident: str, number: int) -> str:
        return f"{self._prefix}/{ident}/{number}"
