"""The GitHub servers of the settings, and the repositories on them that a ``repoUrl`` names."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flagstone.builtin.github.client import AnswerCache, Breaker, GitHub
from flagstone.builtin.github.credentials import Credentials
from flagstone.builtin.github.settings import GitHubHost, GitHubSettings
from flagstone.kernel.errors import Invalid
from flagstone.sdk import ActionTools
from flagstone.sdk.remotes import SecretReader

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Target:
    """A repository on GitHub, with the client that may work with it."""

    api: GitHub
    owner: str
    repo: str

    @property
    def name(self) -> str:
        """``owner/repo``."""
        return f"{self.owner}/{self.repo}"

    @property
    def subject(self) -> str:
        """For plans: host and name."""
        return f"{self.api.host.host}/{self.name}"

    @property
    def path(self) -> str:
        """Where it lies in the API."""
        return f"/repos/{self.owner}/{self.repo}"

    @property
    def web_url(self) -> str:
        """Its page."""
        return f"{self.api.host.web_url}/{self.name}"

    @property
    def clone_url(self) -> str:
        """Where git finds it."""
        return f"{self.web_url}.git"

    def info(self) -> dict[str, Any] | None:
        """What GitHub says of it; None when it is not there."""
        return self.api.find(self.path)

    def git_authorization(self) -> str:
        """The header for git over HTTPS."""
        token = self.api.git_authorization().removeprefix("Bearer ")
        return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


@dataclass(frozen=True, slots=True)
class _Server:
    host: GitHubHost
    credentials: Credentials
    http: Any
    cache: AnswerCache
    breaker: Breaker


class GitHubHosts:
    """All servers by host name."""

    def __init__(self, settings: GitHubSettings, secrets: SecretReader, tools: ActionTools) -> None:
        self.settings = settings
        self._servers: dict[str, _Server] = {}
        for host in settings.hosts:
            reached = tuple(dict.fromkeys(_allowed(url) for url in (host.api_url, host.web_url)))
            http = tools.http(reached, setting="github.hosts")
            self._servers[host.host] = _Server(host, Credentials(host, secrets, http), http, AnswerCache(), Breaker())

    def target(self, repo_url: str, *, token: str = "", purpose: str = "") -> Target:
        """The repository of ``host?owner=…&repo=…``; a ``token`` is used in place of the host's credential.

        Raises Invalid for a malformed address, and for a host that the settings do not name.
        """
        name, _, query = repo_url.removeprefix("https://").partition("?")
        values = parse_qs(query, max_num_fields=20)
        owner, repo = ((values.get(part) or [""])[0] for part in ("owner", "repo"))
        if not all(_NAME.fullmatch(part) and part not in (".", "..") for part in (owner, repo)):
            raise Invalid(
                "github.bad_repo_url",
                f"{repo_url[:200]!r} does not name a repository.",
                hint="Write github.com?owner=<organisation or user>&repo=<name>.",
            )
        server = self._servers.get(name)
        if server is None:
            known = ", ".join(sorted(self._servers)) or "none"
            raise Invalid(
                "github.unknown_host",
                f"{name!r} is not among the GitHub hosts of the settings ({known}).",
                hint="An administrator can add it: [[github.hosts]] with host and credential.",
            )
        if token:
            api = GitHub(
                server.host,
                server.http,
                lambda: f"Bearer {token}",
                secret="token of the step",  # noqa: S106  in words, for messages
                breaker=server.breaker,
            )
        else:
            api = GitHub(
                server.host,
                server.http,
                lambda: server.credentials.header(owner, purpose),
                secret=server.host.credential,
                cache=server.cache,
                breaker=server.breaker,
            )
        return Target(api, owner, repo)


def _allowed(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
