"""The secrets of a run: in the vault from the request until the run has succeeded or is tidied up."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.platform.runs.model import RunRecord


class RunSecrets:
    """Names in the vault are ``runs/<run id>/<number>``: what people call a secret need not be a name there."""

    def __init__(self, vault: VaultService) -> None:
        self._vault = vault

    def store(self, run_id: str, secrets: Mapping[str, SecretStr], actor: Principal) -> tuple[str, ...]:
        """Put the values into the vault; returns the names in order. Empty values are left out."""
        names = tuple(sorted(name for name, value in secrets.items() if value.get_secret_value()))
        for number, name in enumerate(names):
            self._vault.put(_name(run_id, number), secrets[name], actor=actor)
        return names

    def read(self, run: RunRecord) -> dict[str, str]:
        """The values by name, as far as they are still there."""
        found: dict[str, str] = {}
        for number, name in enumerate(run.secrets):
            with contextlib.suppress(NotFound):
                found[name] = self._vault.use(_name(run.id, number), actor=run.principal, purpose=f"run {run.number}")
        return found

    def forget(self, run: RunRecord) -> None:
        """Delete them."""
        self.discard(run.id, run.secrets)

    def discard(self, run_id: str, names: Sequence[str]) -> None:
        """Delete the secrets of a run that was never stored."""
        for number in range(len(names)):
            with contextlib.suppress(NotFound):
                self._vault.delete(_name(run_id, number))


def _name(run_id: str, number: int) -> str:
    return f"runs/{run_id}/{number}"
