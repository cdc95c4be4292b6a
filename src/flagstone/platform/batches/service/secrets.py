"""The secrets of a batch: in the vault from the request until nothing of the batch can be started any more.

Its row says which there are and whether they are kept. It says so before they are written and before they are deleted,
so that what a killed process leaves in the vault is known to be left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from flagstone.foundation.vault import SecretBundles, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, Problem
from flagstone.platform.batches.model import Batch
from flagstone.platform.batches.settings import BatchesSettings
from flagstone.toolkit.web.forms import schema_fault, secret_faults

LEFT_AFTER = timedelta(minutes=15)
"""Values that are so old and of no batch were written by a process that died before it wrote the batch."""


class BatchSecrets:
    """One bundle of the vault for each batch that has some."""

    def __init__(self, vault: VaultService, settings: BatchesSettings) -> None:
        self._bundles = SecretBundles(vault, "batches")
        self._keep = timedelta(hours=settings.keep_secrets_hours)

    def check(self, batch: Batch, secrets: Mapping[str, SecretStr], *, complete: bool = True) -> None:
        """Raise Invalid (``batches.bad_secrets``) when they are not what the workflow asks for; never with a value."""
        schema = batch.workflow.secrets_schema
        if schema is None or not isinstance(schema, Mapping) or schema_fault(schema) is not None:
            return
        given = {name: text for name, value in secrets.items() if (text := value.get_secret_value())}
        wrong = secret_faults(schema, given, complete=complete)
        if wrong:
            raise Invalid(
                "batches.bad_secrets",
                f"The secrets are not those that {batch.workflow.title} asks for.",
                hint="Give each once, for all runs. Nothing was started.",
                problems=[Problem(fault.message, field=f"secrets.{fault.name}".rstrip(".")) for fault in wrong],
            )

    @contextmanager
    def stored(self, batch: Batch, secrets: Mapping[str, SecretStr], actor: Principal) -> Iterator[Batch]:
        """Put those of a new batch into the vault; they are deleted again when it cannot be stored."""
        names = self._bundles.store(batch.id, secrets, actor)
        try:
            yield replace(batch, secrets=names, secrets_kept=bool(names))
        except BaseException:
            self._bundles.discard(batch.id)
            raise

    def again(self, batch: Batch, secrets: Mapping[str, SecretStr], actor: Principal) -> dict[str, Any]:
        """What a retry changes in the row of a batch, under which it is called.

        Raises Invalid: ``batches.secrets_needed`` when they were deleted and are not given, ``batches.bad_secrets``.
        """
        given = {name: value for name, value in secrets.items() if value.get_secret_value()}
        missing = [] if batch.secrets_kept else [name for name in batch.secrets if name not in given]
        if missing:
            raise needed(batch, missing)
        if not given:
            return {}
        self.check(batch, given, complete=False)
        names = self._bundles.store(batch.id, given, actor, known=batch.secrets)
        return {"secrets": list(names), "secrets_kept": 1}

    def read(self, batch: Batch) -> dict[str, SecretStr]:
        """The values by name, as far as they are there. Raises Unavailable under a wrong key."""
        if not batch.secrets_kept:
            return {}
        found = self._bundles.read(batch.id, batch.secrets, batch.principal, f"batch {batch.id}")
        return {name: SecretStr(text) for name, text in found.items()}

    def drop(self, batch_id: str) -> None:
        """Delete them."""
        self._bundles.discard(batch_id)

    def kept_since(self, now: datetime) -> datetime:
        """Those of a batch that failed before this are kept no longer."""
        return now - self._keep

    def left(self, now: datetime) -> list[str]:
        """Ids of the batches, also of those that never came to be, whose values are there for a while."""
        return self._bundles.older_than(now - LEFT_AFTER)


def needed(batch: Batch, names: Iterable[str]) -> Invalid:
    """The secrets are not there any more."""
    listed = list(names)
    return Invalid(
        "batches.secrets_needed",
        f"{batch.title} needs its secrets again, because they were deleted after it failed: {', '.join(listed)}.",
        hint="Retry it with them: on its page, or with `flagstone batches retry ID --secret NAME`.",
        problems=[Problem("This secret is missing.", field=f"secrets.{name}") for name in listed],
    )
