"""Files in the built-in git hosting: ``project/repository/path``, at the head of the default branch.

The version is the commit, so that all files of one read belong together; a file whose blob is known is not read again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from flagstone.builtin.sources.patterns import SKIPPED_FOLDERS, catalog_files, is_glob, matches
from flagstone.kernel.errors import Denied, Invalid, NotFound, Problem, Unavailable
from flagstone.sdk import SourceContext, SourceEntry, SourceFile, SourceListing, SourceSnapshot


class HostedSource:
    """``hosted`` locations. The path may be a file, a glob or a folder (empty: the whole repository)."""

    type = "hosted"

    def resolve(self, base: str, target: str) -> str:
        """``target`` as written in the file ``base``; a leading ``/`` is the root of the repository.

        Raises Denied for what leaves the repository.
        """
        repository, path = split(base)
        joined = target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(path), target)
        inside = posixpath.normpath(joined)
        if inside == ".." or inside.startswith("../"):
            raise Denied(
                "source.outside_repository",
                f"{target!r} leaves the repository {repository}.",
                hint="A file may only name files of its own repository.",
            )
        return f"{repository}/{inside}"

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read a target at the head. Raises Invalid, NotFound or Unavailable."""
        listing = self.list(target, ctx, version=version)
        if listing.unchanged:
            return SourceSnapshot(listing.version, unchanged=True)
        files: list[SourceFile] = []
        problems: list[Problem] = []
        for entry in listing.entries:
            try:
                files.append(self.read_entry(target, entry, ctx))
            except (Unavailable, NotFound) as error:
                if len(listing.entries) == 1:
                    raise
                problems.append(Problem(error.message, file=entry.path, hint=error.hint))
        return SourceSnapshot(listing.version, tuple(files), problems=tuple(problems))

    def list(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceListing:
        """Name the files of a target at the head; nothing is looked at while it stands at the same commit."""
        repository, path = split(target)
        commit = ctx.repository_head(repository)
        if commit is None:
            raise NotFound("source.empty_repository", f"The repository {repository} has no commit yet.")
        if commit == version:
            return SourceListing(commit, unchanged=True)
        entries = [
            SourceEntry(name, f"hosted:{repository}/{name}", stamp, commit)
            for name, stamp in self._find(repository, path, commit, ctx)
        ]
        return SourceListing(commit, tuple(entries))

    def read_entry(self, target: str, entry: SourceEntry, ctx: SourceContext) -> SourceFile:
        """Read one of them, at the commit of its listing."""
        repository, _ = split(target)
        content = _content(repository, entry.path, entry.commit, ctx)
        return SourceFile(entry.path, entry.location, content, commit=entry.commit)

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file relative to an entity's file, in the same repository."""
        repository, name = split(self.resolve(location.removeprefix("hosted:"), path))
        return _content(repository, name, None, ctx)

    @staticmethod
    def _find(repository: str, path: str, commit: str, ctx: SourceContext) -> Sequence[tuple[str, str]]:
        """(path, id of the content); a single file is read rather than looked up among all."""
        path = path.strip("/")
        if not is_glob(path) and path.endswith((".yaml", ".yml", ".json")):
            return [(path, "")]
        tree = ctx.list_repository_tree(repository, commit)
        blobs = {entry.path: entry.object_id for entry in tree if entry.type == "blob"}
        if is_glob(path):
            return sorted((name, stamp) for name, stamp in blobs.items() if matches(path, name))
        prefix = f"{path}/" if path else ""
        if path in blobs:
            return [(path, blobs[path])]
        below = [name.removeprefix(prefix) for name in blobs if name.startswith(prefix)]
        found = catalog_files(name for name in below if not SKIPPED_FOLDERS & set(name.split("/")[:-1]))
        if not found:
            raise NotFound(
                "source.missing",
                f"There is no {path or 'catalog-info.yaml'} in the repository {repository}.",
                hint="Push a catalog-info.yaml, or name the file: project/repository/path/file.yaml.",
            )
        return [(prefix + name, blobs[prefix + name]) for name in found]


def split(target: str) -> tuple[str, str]:
    """``project/repository`` and the path in it. Raises Invalid."""
    parts = target.split("/", 2)
    if len(parts) < 2 or not parts[0] or not parts[1]:
        raise Invalid(
            "source.bad_target",
            f"The hosted location {target!r} names no repository.",
            hint="Write project/repository/path/in/the/repository.yaml.",
        )
    return f"{parts[0]}/{parts[1]}", parts[2] if len(parts) == 3 else ""


def _content(repository: str, path: str, commit: str | None, ctx: SourceContext) -> bytes:
    try:
        found = ctx.read_repository_file(repository, path, commit)
    except NotFound as error:
        raise NotFound("source.missing", f"There is no file {path} in the repository {repository}.") from error
    if found.text is None:
        raise Invalid("source.not_text", f"{path} in the repository {repository} is not text, or is too large.")
    return found.text.encode()
