"""What git hosts tell of a push: which repository it was, and that the host itself says so.

Formats: GitHub (``push``, https://docs.github.com/webhooks), GitLab (``Push Hook``), Gitea and Forgejo (``push``),
Bitbucket Cloud (``repo:push``) and Bitbucket Data Center (``repo:refs_changed``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_EVENTS = ("x-gitea-event", "x-forgejo-event", "x-github-event", "x-gitlab-event", "x-event-key")
_PUSHES = frozenset({"push", "push hook", "tag push hook", "system hook", "repo:push", "repo:refs_changed"})
_SIGNATURES = ("x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature", "x-hub-signature")
_MAX_ADDRESSES = 20
_SCP = re.compile(r"([\w.-]+@[\w.-]+):(?!//)(.+)")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of another host, by all the addresses that it has: of its page, to clone it."""

    addresses: tuple[str, ...]

    def targets(self) -> dict[str, tuple[str, ...]]:
        """By type of location: how the targets of its files begin."""
        git = [f"{address}{end}" for address in self.addresses for end in ("/", "?", ".git")]
        pages = [f"{address}/" for address in self.addresses if address.startswith("http")]
        name = [page.removeprefix("https://github.com/") for page in pages if page.startswith("https://github.com/")]
        raw = [f"https://raw.githubusercontent.com/{found}" for found in name]
        return {"git": tuple(git), "url": (*pages, *raw)}


def is_push(headers: Mapping[str, str]) -> bool:
    """Whether the event is one after which files may be others; names of headers in lower case."""
    return next((headers[name] for name in _EVENTS if name in headers), "").lower() in _PUSHES


def is_genuine(headers: Mapping[str, str], body: bytes, secrets: Collection[str]) -> bool:
    """Whether it is signed with one of the secrets (SHA-256), or carries one as GitLab's token."""
    known = [secret.encode() for secret in secrets if secret]
    token = headers.get("x-gitlab-token", "").encode()
    if token:
        return any(hmac.compare_digest(token, secret) for secret in known)
    given = next((headers[name] for name in _SIGNATURES if name in headers), "").removeprefix("sha256=").encode()
    wanted = [hmac.new(secret, body, hashlib.sha256).hexdigest().encode() for secret in known]
    return any(hmac.compare_digest(given, digest) for digest in wanted)


def repository_of(body: Any) -> Repository | None:
    """The repository that a push was to; None when the event names none."""
    if not isinstance(body, Mapping):
        return None
    found = dict.fromkeys(
        _plain(text) for text in _addresses(body) if isinstance(text, str) and text and len(text) < 2_000
    )
    return Repository(tuple(found)[:_MAX_ADDRESSES]) if found else None


def _addresses(body: Mapping[str, Any]) -> Iterator[Any]:
    for part in (body.get("repository"), body.get("project")):
        if isinstance(part, Mapping):
            for name in ("html_url", "clone_url", "ssh_url", "web_url", "git_http_url", "git_ssh_url", "homepage"):
                yield part.get(name)
            links = part.get("links")
            if isinstance(links, Mapping):
                for link in (links.get("html"), *_list(links.get("clone")), *_list(links.get("self"))):
                    yield link.get("href") if isinstance(link, Mapping) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(address: str) -> str:
    scp = _SCP.fullmatch(address)
    text = f"ssh://{scp[1]}/{scp[2]}" if scp and "://" not in address else address
    # The page of a repository on Bitbucket Data Center ends with /browse.
    return text.rstrip("/").removesuffix("/browse").removesuffix(".git")
