"""Section ``[github]``: the GitHub servers that actions may work with."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GitHubHost(BaseModel):
    """One entry ``[[github.hosts]]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "github.com"
    """Name of the host, as it stands in a `repoUrl`."""
    api: str = ""
    """Address of its REST API. Empty: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise
    Server."""
    web: str = ""
    """Address of its pages and of git. Empty: `https://HOST`."""
    credential: str = "github-token"
    """Name of the secret in the vault: a token, or with `app_id` the private key (PEM) of the GitHub App."""
    app_id: str = ""
    """Client id or app id of a GitHub App. Tokens of its installations are used then; each lasts an hour."""
    api_version: str = "2022-11-28"
    """Version of the REST API that is asked for."""

    @property
    def api_url(self) -> str:
        """Without a slash at the end."""
        default = "https://api.github.com" if self.host == "github.com" else f"https://{self.host}/api/v3"
        return (self.api or default).rstrip("/")

    @property
    def web_url(self) -> str:
        """Without a slash at the end."""
        return (self.web or f"https://{self.host}").rstrip("/")


class GitHubSettings(BaseModel):
    """Section ``[github]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: tuple[GitHubHost, ...] = ()
    """GitHub servers: each with `host`, `credential` (name of a secret), and if needed `api`, `web`, `app_id`."""
    author_name: str = "Flagstone"
    """Author of commits when a template does not give one."""
    author_email: str = "noreply@flagstone.invalid"
    """Address of that author."""
    poll_seconds: float = Field(15, ge=1)
    """How often a step that follows a workflow run looks at it."""
