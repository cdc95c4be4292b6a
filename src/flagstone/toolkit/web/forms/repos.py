"""Repository addresses as Backstage writes them: ``host?owner=…&repo=…``, with other parts on some hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?\Z")
_PARTS = {"owner": "Owners", "organization": "Organizations", "project": "Projects", "repo": "Repos"}
"""Parts of an address, and the end of the option that says what is allowed there."""


@dataclass(frozen=True, slots=True)
class RepoUrl:
    """The parts of an address. ``extra`` holds what some hosts have beside them (``project``, ``workspace``…)."""

    host: str = ""
    owner: str = ""
    repo: str = ""
    extra: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if not (self.host or self.owner or self.repo):
            return ""
        owner = [("owner", self.owner)] if self.owner or not self.extra else []
        return f"{self.host}?{urlencode([*owner, ('repo', self.repo), *self.extra])}"

    def part(self, name: str) -> str:
        """One part; empty when it is not there."""
        return {"host": self.host, "owner": self.owner, "repo": self.repo, **dict(self.extra)}.get(name, "")

    def fault(self, settings: Mapping[str, Any] | None = None) -> str | None:
        """What is wrong with it, in words; ``settings`` are the ``ui:options`` of its field."""
        if not self.host or not _HOST.match(self.host):
            return "Choose a host."
        wanted = host_parts(self.host)
        if not all(self.part(name) for name in wanted):
            *first, last = [_WORDS[name] for name in wanted]
            return f"Fill in {' and '.join([', '.join(first), last]) if first else last}."
        for name in wanted:
            part = self.part(name)
            if len(part) > 100 or not all(_PART.match(piece) for piece in part.split("/")):
                return f"{part[:60]!r} cannot be used: write letters, digits, '.', '_' and '-' only."
        return self._not_allowed(settings or {})

    def _not_allowed(self, settings: Mapping[str, Any]) -> str | None:
        for name, option in (("host", "Hosts"), *_PARTS.items()):
            allowed = settings.get(f"allowed{option}")
            if isinstance(allowed, list) and allowed and self.part(name) and self.part(name) not in allowed:
                return f"{self.part(name)} is not allowed here; choose {', '.join(map(str, allowed))[:200]}."
        return None


_WORDS = {
    "owner": "the owner",
    "repo": "the name of the repository",
    "organization": "the organization",
    "project": "the project",
    "workspace": "the workspace",
}


def host_parts(host: str) -> tuple[str, ...]:
    """What an address on a host consists of, in the order it is asked for."""
    if host == "dev.azure.com" or host.endswith(".visualstudio.com"):
        return ("organization", "project", "repo")
    if host == "bitbucket.org":
        return ("workspace", "project", "repo")
    return ("owner", "repo")


def parse_repo_url(text: str) -> RepoUrl:
    """Take an address apart; what is missing is empty."""
    host, _, query = text.partition("?")
    found = {key: values[0] for key, values in parse_qs(query, max_num_fields=20).items()}
    owner, repo = found.pop("owner", ""), found.pop("repo", "")
    return RepoUrl(host.removeprefix("https://"), owner, repo, tuple(sorted(found.items())))
