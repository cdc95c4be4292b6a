"""Where a step's ``url`` leads: beside its template, or into a hosted repository. Everything else is refused."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flagstone.contracts.runs import WorkflowDefinition
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, Invalid, NotFound, Unavailable
from flagstone.platform.runs.ports import HostedFiles
from flagstone.platform.runs.service.files import RootFiles
from flagstone.platform.runs.service.remote import Fetch, UrlFiles
from flagstone.sdk import Files
from flagstone.toolkit.files import Root

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads, for which workflow, and where copies may lie."""

    workflow: WorkflowDefinition
    actor: Principal
    scratch: Path
    inline: Path | None = None
    """The folder of the files that came with the request."""


class Sources:
    """Resolves urls of steps.

    ``allowed_folders`` are absolute; ``hosted`` finds the git hosting once it is there; ``fetch`` reads from other
    servers.
    """

    def __init__(
        self, allowed_folders: Sequence[str], hosted: Callable[[], HostedFiles | None], fetch: Fetch | None = None
    ) -> None:
        self._fetch = fetch
        self._allowed = tuple(Path(folder).resolve() for folder in allowed_folders)
        self._hosted = hosted

    def open(self, url: str, reading: Reading) -> Files:
        """The files behind a url, for reading.

        Raises Denied for a place that may not be read, NotFound when there is nothing, Invalid for a bad url.
        """
        if not url.strip():
            raise Invalid("runs.bad_url", "The url of the step is empty.", hint="Write ./skeleton, for example.")
        scheme = _SCHEME.match(url)
        if scheme is None:
            return self._beside_template(url, reading)
        kind, rest = url.split(":", 1)
        if kind.lower() == "hosted":
            name, path = _split_hosted(rest)
            return self._repository(name, None, path, reading)
        if kind.lower() in ("http", "https"):
            if self._fetch is not None:
                return UrlFiles(url, self._fetch)
            raise Denied(
                "runs.url_not_allowed",
                f"{url} is on another server, from which this server does not read.",
                hint="Put the files beside the template, use hosted:project/repository/folder, or allow the host "
                "(sources.allowed_hosts).",
            )
        raise Denied(
            "runs.url_not_allowed",
            f"Steps cannot read from {url}.",
            hint="Use a path beside the template, or hosted:project/repository/folder.",
        )

    def _beside_template(self, url: str, reading: Reading) -> RootFiles:
        base = reading.workflow.base
        kind, _, target = base.partition(":")
        path = _relative(url)
        if kind == "file" and target:
            return self._folder(Path(target), path, url)
        if kind == "inline":
            return _opened(Root(reading.inline or reading.scratch), path, url)
        if kind == "hosted" and target:
            name, template = _split_hosted(target)
            version = reading.workflow.version
            commit = version if _COMMIT.fullmatch(version) else None
            return self._repository(name, commit, posixpath.join(posixpath.dirname(template), path), reading)
        raise Invalid(
            "runs.no_base",
            f"{url} is relative, but this workflow did not come from a file.",
            hint="Start it from a template that is registered in the catalog.",
        )

    def _folder(self, template: Path, path: str, url: str) -> RootFiles:
        folder = template.parent.resolve()
        if not any(folder == allowed or allowed in folder.parents for allowed in self._allowed):
            raise Denied(
                "runs.folder_not_allowed",
                f"{folder} may not be read by runs.",
                hint="Add it, or a folder above it, to sources.allowed_folders in flagstone.toml.",
            )
        return _opened(Root(folder), path, url)

    def _repository(self, name: str, commit: str | None, path: str, reading: Reading) -> RootFiles:
        hosted = self._hosted()
        if hosted is None:
            raise Unavailable("runs.no_hosting", f"The repository {name} cannot be read: there is no git hosting here.")
        view = hosted.get(name, reading.actor)
        commit = commit or view.head
        if commit is None:
            raise NotFound("runs.empty_repository", f"The repository {name} has no commit yet.", hint="Push one first.")
        folder = reading.scratch / hashlib.sha256(f"{name}@{commit}".encode()).hexdigest()[:32]
        if not folder.exists():
            hosted.materialise(name, commit, folder)
        return _opened(Root(folder), path, f"{name}/{path}")


def _opened(root: Root, path: str, url: str) -> RootFiles:
    files = RootFiles(root, path, read_only=True)
    if not files.exists(""):
        raise NotFound("runs.no_source", f"There is nothing at {url}.", hint="Check the url of the step.")
    return files


def _relative(url: str) -> str:
    path = posixpath.normpath(url)
    if path == ".." or path.startswith(("../", "/", "~")) or "\\" in path:
        raise Denied(
            "runs.outside_template",
            f"{url} leads out of the folder of the template.",
            hint="Put the skeleton below the template's own folder.",
        )
    return "" if path == "." else path


def _split_hosted(target: str) -> tuple[str, str]:
    """``project/repository/path`` to (``project/repository``, path)."""
    parts = [part for part in target.strip("/").split("/") if part]
    if len(parts) < 2 or ".." in parts:
        raise Invalid("runs.bad_url", f"hosted:{target} names no repository.", hint="Write hosted:project/repository.")
    return f"{parts[0]}/{parts[1].removesuffix('.git')}", "/".join(parts[2:])
