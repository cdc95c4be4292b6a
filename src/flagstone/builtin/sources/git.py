"""Repositories on any git server: ``https://host/group/repo.git//path/catalog-info.yaml?ref=main``.

The address is written as Terraform writes module sources: ``//`` begins the path in the repository, ``ref`` is a
branch or tag (default: the default branch). ``ssh://git@host/repo.git`` and ``git@host:repo.git`` work as well.
Without a path, or with a folder or a glob, all catalog files below it are read. The version is the commit, so that
all files of one read belong together; a file whose blob is known is not read again.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from flagstone.builtin.sources.patterns import SKIPPED_FOLDERS, catalog_files, is_glob, matches
from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, NotFound, Problem, Unavailable
from flagstone.sdk import GitReader, SourceContext, SourceEntry, SourceFile, SourceListing, SourceSnapshot

_SCP = re.compile(r"([\w.-]+@[\w.-]+):(?!//)(.+)")
_BESIDE_SECONDS = 600.0
_SCHEMES = ("https", "http", "ssh")


@dataclass(frozen=True, slots=True)
class Target:
    """A target, read: the repository's address, the path in it and the branch or tag."""

    url: str
    path: str
    ref: str

    def at(self, path: str) -> str:
        """The target of another file at the same place."""
        return f"{self.url}//{path}" + (f"?ref={self.ref}" if self.ref else "")


def parse(target: str) -> Target:
    """Raises Invalid for what is no address of a repository."""
    text = target.strip().removeprefix("git::")
    scp = _SCP.fullmatch(text)
    if scp and "://" not in text:
        text = f"ssh://{scp[1]}/{scp[2]}"
    parts = urlsplit(text)
    address, _, path = parts.path.partition("//")
    options = dict(parse_qsl(parts.query))
    if parts.scheme not in _SCHEMES or not parts.hostname or len(address) < 2 or set(options) - {"ref"}:
        raise Invalid(
            "source.bad_target",
            f"{target!r:.300} is no address of a git repository.",
            hint="Write https://host/group/repository.git//path/catalog-info.yaml?ref=main.",
        )
    if parts.scheme != "ssh" and "@" in parts.netloc:
        raise Invalid(
            "source.credentials_in_address",
            f"The address of {parts.hostname} holds a user name or password.",
            hint="Put the secret into the vault and name it in [[sources.credentials]].",
        )
    return Target(f"{parts.scheme}://{parts.netloc}{address}", path.strip("/"), options.get("ref", ""))


class GitSource:
    """``git`` locations."""

    type = "git"

    def resolve(self, base: str, target: str) -> str:
        """``target`` as written in the file ``base``; a leading ``/`` is the root of the repository, and an address
        stands for itself. Raises Denied for what leaves the repository.
        """
        if "://" in target or _SCP.fullmatch(target):
            return parse(target).at(parse(target).path)
        here = parse(base)
        joined = target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(here.path), target)
        inside = posixpath.normpath(joined)
        if inside == ".." or inside.startswith("../"):
            raise Denied(
                "source.outside_repository",
                f"{target!r} leaves the repository {here.url}.",
                hint="A file may only name files of its own repository.",
            )
        return here.at("" if inside == "." else inside)

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read a target at its branch. Raises Invalid, Denied, NotFound or Unavailable."""
        listing = self.list(target, ctx, version=version)
        if listing.unchanged:
            return SourceSnapshot(listing.version, unchanged=True)
        files: list[SourceFile] = []
        problems: list[Problem] = []
        for entry in listing.entries:
            try:
                files.append(self.read_entry(target, entry, ctx))
            except FlagstoneError as error:
                if len(listing.entries) == 1:
                    raise
                problems.append(Problem(error.message, file=entry.path, hint=error.hint))
        return SourceSnapshot(listing.version, tuple(files), problems=tuple(problems))

    def list(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceListing:
        """Name the files of a target; nothing is fetched while its branch stands at the same commit."""
        wanted, git = parse(target), _git(ctx)
        commit = git.head(wanted.url, wanted.ref)
        if commit == version:
            return SourceListing(commit, unchanged=True)
        blobs = {item.path: item.object_id for item in git.tree(wanted.url, commit) if item.type == "blob"}
        entries = [
            SourceEntry(path, f"git:{wanted.at(path)}", stamp=blobs[path], commit=commit)
            for path in _chosen(wanted, blobs)
        ]
        return SourceListing(commit, tuple(entries))

    def read_entry(self, target: str, entry: SourceEntry, ctx: SourceContext) -> SourceFile:
        """Read one of them, at the commit of its listing."""
        wanted, git = parse(target), _git(ctx)
        commit = entry.commit or git.head(wanted.url, wanted.ref)
        return SourceFile(entry.path, entry.location, _content(git, wanted.url, commit, entry.path, ctx), commit=commit)

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file relative to an entity's file, in the same repository."""
        wanted, git = parse(self.resolve(location.removeprefix("git:"), path)), _git(ctx)
        if wanted.url != parse(location.removeprefix("git:")).url:
            raise Denied("source.outside_repository", f"{path!r:.200} is in another repository.")
        # At the commit that was listed last: pages read READMEs, and must not wait for a server elsewhere.
        commit = git.head(wanted.url, wanted.ref, max_age=_BESIDE_SECONDS)
        return _content(git, wanted.url, commit, wanted.path, ctx)


def _git(ctx: SourceContext) -> GitReader:
    if ctx.git is None:
        raise Unavailable("source.no_git", "Repositories on other servers cannot be read here.")
    return ctx.git


def _chosen(wanted: Target, blobs: dict[str, str]) -> list[str]:
    path = wanted.path
    if path in blobs:
        return [path]
    if is_glob(path):
        return sorted(name for name in blobs if matches(path, name))
    prefix = f"{path}/" if path else ""
    below = [name.removeprefix(prefix) for name in blobs if name.startswith(prefix)]
    found = catalog_files(name for name in below if not SKIPPED_FOLDERS & set(name.split("/")[:-1]))
    if not found:
        raise NotFound(
            "source.missing",
            f"There is no {path or 'catalog-info.yaml'} in {wanted.url}.",
            hint="Push a catalog-info.yaml, or name the file: …repo.git//path/file.yaml.",
        )
    return [prefix + name for name in found]


def _content(git: GitReader, url: str, commit: str, path: str, ctx: SourceContext) -> bytes:
    try:
        return git.file(url, commit, path, max_bytes=int(ctx.options.get("max_file_bytes", 10_000_000)))
    except NotFound as error:
        raise NotFound("source.missing", f"There is no file {path} in {url}.") from error
