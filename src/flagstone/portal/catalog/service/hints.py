"""Webhooks of git hosts: a push makes the catalog look sooner than its clock would. Losing one costs time only."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from flagstone.foundation.vault import VaultService
from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound, Unauthenticated
from flagstone.portal.catalog.model.pushes import is_genuine, is_push, repository_of
from flagstone.portal.catalog.service.ingest import IngestService

log = logging.getLogger("flagstone.catalog")

_KEPT_SECONDS = 600.0
"""A secret is read again after this time: each reading is audited, and anybody can knock."""


class HintService:
    """Believes only what is signed with a secret that the settings name; reads nothing from what it is told."""

    def __init__(
        self, ingest: IngestService, vault: VaultService, secrets: Sequence[str], wake: Callable[[], None]
    ) -> None:
        self._ingest = ingest
        self._vault = vault
        self._names = tuple(secrets)
        self._wake = wake
        self._guard = threading.Lock()
        self._read: tuple[float, list[str]] = (0.0, [])

    def pushed(self, headers: Mapping[str, str], body: bytes) -> int:
        """Have every location of the repository read again now. Returns how many there are.

        Raises NotFound when no secret is set up, Unauthenticated for a wrong signature, Invalid for what is no JSON.
        """
        if not self._names:
            raise NotFound(
                "catalog.no_webhooks",
                "This catalog takes no webhooks: no secret is set up for them.",
                hint="Put a secret into the vault and name it in catalog.webhook_secrets.",
            )
        if not is_genuine(headers, body, self._secrets()):
            raise Unauthenticated(
                "catalog.bad_signature",
                "The webhook is not signed with a secret of this catalog.",
                hint="Give the webhook of the git host the same secret as the vault, and the content type JSON.",
            )
        if not is_push(headers):
            return 0
        try:
            repository = repository_of(json.loads(body))
        except (ValueError, RecursionError):
            raise Invalid(
                "catalog.bad_webhook", "The webhook is not JSON.", hint="Choose the content type application/json."
            ) from None
        if repository is None:
            return 0
        found = sum(self._ingest.hurry(type_, *prefixes) for type_, prefixes in repository.targets().items())
        self._wake()
        return found

    def _secrets(self) -> list[str]:
        with self._guard:
            at, known = self._read
            if at and time.monotonic() - at < _KEPT_SECONDS:
                return known
        known = []
        for name in self._names:
            try:
                known.append(self._vault.use(name, purpose="checking webhooks of git hosts"))
            except FlagstoneError as error:
                log.error("the secret %s of catalog.webhook_secrets cannot be used: %s", name, error.message)
        with self._guard:
            self._read = (time.monotonic(), known)
        return known
