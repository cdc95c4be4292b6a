"""Files at addresses, read through the one outgoing fetcher, which decides what may be reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from flagstone.builtin.sources.file_pages import file_page
from flagstone.kernel.errors import Denied, Invalid, NotFound, Unavailable
from flagstone.sdk import SourceContext, SourceFile, SourceSnapshot

_SINCE = "modified "
_DIGEST = "sha256 "


class Fetched(Protocol):
    """What the fetcher answers."""

    status: int
    body: bytes
    etag: str | None
    headers: Mapping[str, str]


class UrlSource:
    """``url`` locations: one file each.

    The version is the ETag, the time of the last change where there is none, or a digest of the content.
    """

    type = "url"

    def resolve(self, base: str, target: str) -> str:
        """``target`` as written in the file at ``base``; a leading ``/`` is the root of the host."""
        return urljoin(base, target)

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read one address. Raises Invalid, NotFound, Denied or Unavailable."""
        _check(target)
        answer = _fetch(target, ctx, version)
        if answer.status == 304:
            return SourceSnapshot(version, unchanged=True)
        found = _version(answer)
        if found == version:
            return SourceSnapshot(version, unchanged=True)
        page = file_page(target)
        name = page.path if page else urlsplit(target).path.rpartition("/")[2] or target
        edit = page.edit if page else None
        file = SourceFile(name, f"url:{target}", answer.body, view_url=target, edit_url=edit)
        return SourceSnapshot(found, (file,))

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file relative to an entity's file, on the same host.

        A leading ``/`` is the root of the repository; NotFound where the address tells of none.
        """
        base = location.removeprefix("url:")
        page = file_page(base)
        if path.startswith("/") and page is None:
            raise NotFound("source.no_repository", f"{base} does not tell where its repository begins.")
        target = f"{page.root}{path}" if page and path.startswith("/") else self.resolve(base, path)
        _check(target)
        if urlsplit(target)[:2] != urlsplit(base)[:2]:
            raise Denied("source.other_host", f"{target} is not on the host of {base}.")
        return _fetch(target, ctx, None).body


def raw_address(target: str) -> str:
    """Where the file itself is, for the address of the page of GitHub, GitLab, Gitea or Bitbucket that shows it."""
    page = file_page(target)
    return page.raw if page else target


def _check(target: str) -> None:
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("source.bad_url", f"{target!r} is not an http or https address.")


def _version(answer: Fetched) -> str:
    if answer.etag:
        return answer.etag
    changed = answer.headers.get("last-modified")
    return f"{_SINCE}{changed}" if changed else f"{_DIGEST}{hashlib.sha256(answer.body).hexdigest()}"


def _fetch(target: str, ctx: SourceContext, version: str | None) -> Fetched:
    known = ctx.headers(urlsplit(target).netloc)
    headers = {"Accept": "application/yaml, text/plain, */*", **known}
    etag = version
    if version is not None and version.startswith((_SINCE, _DIGEST)):
        etag = None
        if version.startswith(_SINCE):
            headers["If-Modified-Since"] = version.removeprefix(_SINCE)
    answer: Fetched = ctx.fetch(raw_address(target), headers=headers, etag=etag)
    if answer.status == 304 and version is None:
        raise Unavailable("source.failed", f"{target} answers 304, though nothing is known of it yet.")
    if answer.status in (401, 403):
        raise Denied("source.refused", f"{target} answers {answer.status}: access is refused.")
    if answer.status in (404, 410):
        raise NotFound("source.missing", f"{target} answers {answer.status}: there is no such file.")
    if answer.status not in (200, 304):
        raise Unavailable("source.failed", f"{target} answers {answer.status}.", hint="It is tried again by itself.")
    head = answer.body[:200].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise Invalid(
            "source.html", f"{target} answers with a web page, not a file.", hint="Use the address of the raw file."
        )
    return answer
