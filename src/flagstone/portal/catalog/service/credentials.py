"""How the catalog is known to private hosts: names in the settings, secrets in the vault."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping, Sequence

from flagstone.foundation.vault import VaultService
from flagstone.toolkit.git import GitCredential
from flagstone.toolkit.settings.sources import HostCredential

_KEPT_SECONDS = 600.0
"""A secret is read again after this time: each reading is audited, and a catalog reads all day."""


class Credentials:
    """Looks them up by host. Values stay in this process and are never shown."""

    def __init__(self, known: Sequence[HostCredential], vault: VaultService) -> None:
        self._known = {item.host.lower(): item for item in known}
        self._vault = vault
        self._read: dict[str, tuple[float, str]] = {}
        self._guard = threading.Lock()

    def of_git(self, host: str) -> GitCredential | None:
        """For git. Raises NotFound when the vault has no such secret."""
        item = self._item(host)
        if item is None:
            return None
        return GitCredential(item.username, self._secret(item, "reading a git repository"), item.known_hosts)

    def headers(self, host: str) -> Mapping[str, str]:
        """For single files over HTTP. Raises NotFound when the vault has no such secret."""
        item = self._item(host)
        if item is None or item.known_hosts:
            return {}
        secret = self._secret(item, "reading a catalog file")
        if item.scheme.lower() == "basic":
            secret = base64.b64encode(f"{item.username}:{secret}".encode()).decode()
        return {"Authorization": f"{item.scheme} {secret}"}

    def _item(self, host: str) -> HostCredential | None:
        return self._known.get(host.lower().rpartition("@")[2])

    def _secret(self, item: HostCredential, purpose: str) -> str:
        with self._guard:
            at, value = self._read.get(item.secret, (0.0, ""))
        if at and time.monotonic() - at < _KEPT_SECONDS:
            return value
        value = self._vault.use(item.secret, purpose=f"{purpose} on {item.host}")
        with self._guard:
            self._read[item.secret] = (time.monotonic(), value)
        return value
