"""Files at addresses, read through the one outgoing fetcher, which decides what may be reached."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urljoin, urlsplit

from flagstone.kernel.errors import Denied, Invalid, NotFound, Unavailable
from flagstone.sdk import SourceContext, SourceFile, SourceSnapshot


class Fetched(Protocol):
    """What the fetcher answers."""

    status: int
    body: bytes
    etag: str | None


class UrlSource:
    """``url`` locations: one file each. The version is the ETag."""

    type = "url"

    def resolve(self, base: str, target: str) -> str:
        """``target`` as written in the file at ``base``."""
        return urljoin(base, target)

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read one address. Raises Invalid, NotFound, Denied or Unavailable."""
        _check(target)
        answer = _fetch(target, ctx, version)
        if answer.status == 304:
            return SourceSnapshot(version, unchanged=True)
        name = urlsplit(target).path.rpartition("/")[2] or target
        file = SourceFile(name, f"url:{target}", answer.body, view_url=target)
        return SourceSnapshot(answer.etag, (file,))

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file relative to an entity's file, on the same host."""
        base = location.removeprefix("url:")
        target = self.resolve(base, path)
        _check(target)
        if urlsplit(target)[:2] != urlsplit(base)[:2]:
            raise Denied("source.other_host", f"{target} is not on the host of {base}.")
        return _fetch(target, ctx, None).body


def _check(target: str) -> None:
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("source.bad_url", f"{target!r} is not an http or https address.")


def _fetch(target: str, ctx: SourceContext, etag: str | None) -> Fetched:
    answer: Fetched = ctx.fetch(target, headers={"Accept": "application/yaml, text/plain, */*"}, etag=etag)
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
