"""The secrets of a run: in the vault from the request until the run has succeeded or is tidied up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pydantic import SecretStr

from flagstone.foundation.vault import SecretBundles, VaultService
from flagstone.kernel.actor import Principal
from flagstone.platform.runs.model import RunRecord


class RunSecrets:
    """One bundle of the vault for each run that has some."""

    def __init__(self, vault: VaultService) -> None:
        self._bundles = SecretBundles(vault, "runs")

    def store(
        self, run_id: str, secrets: Mapping[str, SecretStr], actor: Principal, *, known: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Put the values into the vault; returns the names in order, after those it has. Empty values are left out."""
        return self._bundles.store(run_id, secrets, actor, known=known)

    def read(self, run: RunRecord) -> dict[str, str]:
        """The values by name, as far as they are still there."""
        return self._bundles.read(run.id, run.secrets, run.principal, f"run {run.number}")

    def forget(self, run: RunRecord) -> None:
        """Delete them."""
        self.discard(run.id, run.secrets)

    def discard(self, run_id: str, names: Sequence[str]) -> None:
        """Delete the secrets of a run that was never stored."""
        if names:
            self._bundles.discard(run_id)

    def abandon(self, moment: datetime, known: Callable[[str], bool]) -> None:
        """Delete what was written before a moment for runs that are not there: somebody was killed before they were."""
        for run_id in self._bundles.older_than(moment):
            if not known(run_id):
                self._bundles.discard(run_id)
