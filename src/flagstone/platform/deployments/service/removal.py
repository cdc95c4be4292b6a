"""Removing a deployment, and the proof that it is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil

from flagstone.kernel.errors import Conflict
from flagstone.platform.deployments.model import Deployment
from flagstone.platform.deployments.service.release_files import ReleaseFiles
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.store import DeploymentStore, ReleaseStore

_CONNECT_SECONDS = 0.5


class Removal:
    """See the module. To be called in a turn."""

    def __init__(
        self, store: DeploymentStore, releases: ReleaseStore, files: ReleaseFiles, runtimes: OpenRuntimes
    ) -> None:
        self._store = store
        self._releases = releases
        self._files = files
        self._runtimes = runtimes

    def preview(self, deployment: Deployment) -> list[str]:
        """What would be removed, in words."""
        words = [f"the workload {deployment.workload} in {deployment.environment}, on the runtime {deployment.runtime}"]
        if deployment.pid:
            words.append(f"its process {deployment.pid}")
        if deployment.url:
            words.append(f"its address {deployment.url}")
        words.append("its logs and its working files")
        files = self._own_files(deployment)
        if files:
            words.append(f"the files of {len(files)} {'release' if len(files) == 1 else 'releases'}")
        return words

    def remove(self, deployment: Deployment, progress: Callable[[str], None]) -> list[str]:
        """Remove it from its runtime, delete its files; says what went. Raises Conflict when something remains."""
        process = _process(deployment.pid)
        runtime = self._runtimes.get(deployment.runtime)
        removed = runtime.remove(deployment.id)
        for word in removed:
            progress(f"Removed: {word}")
        remains = self._remains(deployment, process)
        if runtime.status(deployment.id).state != "unknown":
            remains.append(f"the runtime {deployment.runtime} still knows it")
        if remains:
            raise Conflict(
                "deployments.not_gone",
                f"The deployment {deployment.id} is not gone: {'; '.join(remains)}.",
                hint="Remove it again; if that does not help, end what remains by hand.",
            )
        files = [release_id for release_id in self._own_files(deployment) if self._files.remove(release_id)]
        if files:
            removed.append(f"the files of {len(files)} {'release' if len(files) == 1 else 'releases'}")
            progress(f"Removed: {removed[-1]}")
        progress("Checked: no process, no open port and no files of it are left.")
        return removed

    def _own_files(self, deployment: Deployment) -> list[str]:
        """Releases of the workload whose files lie here and that no other deployment uses."""
        others = self._store.releases_in_use(deployment.repository, deployment.workload, without=deployment.id)
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self._releases.list(deployment.repository, deployment.workload, cursor=cursor, limit=500)
            found += [item.id for item in page.items if item.id not in others and self._files.path(item.id).is_dir()]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def _remains(self, deployment: Deployment, process: psutil.Process | None) -> list[str]:
        remains = []
        if process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            remains.append(f"its process {process.pid} still runs")
        if (
            deployment.url
            and _listens(deployment.url)
            and not self._store.is_used(deployment.url, without=deployment.id)
        ):
            remains.append(f"something still listens at {deployment.url}")
        return remains


def _process(pid: int | None) -> psutil.Process | None:
    if pid is None:
        return None
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        return False
    try:
        with socket.create_connection((parts.hostname, parts.port), _CONNECT_SECONDS):
            return True
    except OSError:
        return False
