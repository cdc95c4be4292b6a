"""Repository addresses as Backstage writes them: ``host?owner=…&repo=…``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?\Z")


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
        return f"{self.host}?{urlencode([('owner', self.owner), ('repo', self.repo), *self.extra])}"

    def fault(self) -> str | None:
        """What is wrong with it, in words."""
        if not self.host or not _HOST.match(self.host):
            return "Choose a host."
        if not self.owner or not self.repo:
            return "Fill in the owner and the name of the repository."
        for part in (self.owner, self.repo):
            if len(part) > 100 or not all(_PART.match(piece) for piece in part.split("/")):
                return f"{part[:60]!r} cannot be used: write letters, digits, '.', '_' and '-' only."
        return None


def parse_repo_url(text: str) -> RepoUrl:
    """Take an address apart; what is missing is empty."""
    host, _, query = text.partition("?")
    found = {key: values[0] for key, values in parse_qs(query, max_num_fields=20).items()}
    owner, repo = found.pop("owner", ""), found.pop("repo", "")
    return RepoUrl(host.removeprefix("https://"), owner, repo, tuple(sorted(found.items())))
