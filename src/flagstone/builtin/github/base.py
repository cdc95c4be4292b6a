"""What all actions of this plugin share."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from pydantic import Field

from flagstone.builtin.github.hosts import GitHubHosts, Target
from flagstone.builtin.github.permissions import CHANGE
from flagstone.kernel.errors import Invalid
from flagstone.sdk import Action, Inputs, PlanContext


class RepoInputs(Inputs):
    """A repository and, if need be, somebody's own token."""

    repo_url: str = Field(alias="repoUrl", description="github.com?owner=<organisation or user>&repo=<name>")
    token: str = Field("", description="Used in place of the host's credential, such as ${{ secrets.TOKEN }}.")


class GitHubAction(Action):
    """An action about one repository."""

    permission: ClassVar[str] = CHANGE

    def __init__(self, hosts: GitHubHosts) -> None:
        self._hosts = hosts

    def target(self, inputs: Any) -> Target:
        """The repository of the inputs."""
        return self._hosts.target(inputs.repo_url, token=inputs.token, purpose=self.id)

    def existing(self, inputs: Any, ctx: PlanContext) -> Target:
        """The same while planning; a note says so when it is not there yet, as an earlier step may make it."""
        target = self.target(inputs)
        if target.info() is None:
            ctx.note(f"{target.subject} is not there yet; what it has can be seen when it is.")
        return target


def marker(step_key: str) -> str:
    """A word that stands for a step: found again, it tells that the step did something before it was interrupted."""
    return "flagstone-" + hashlib.sha256(step_key.encode()).hexdigest()[:16]


def hidden(step_key: str) -> str:
    """The marker where GitHub shows Markdown: nobody sees it."""
    return f"<!-- {marker(step_key)} -->"


def need(target: Target) -> dict[str, Any]:
    """What GitHub says of the repository. Raises Invalid when it is not there."""
    found = target.info()
    if found is None:
        raise Invalid(
            "github.no_repository",
            f"There is no repository {target.subject}, or the credential {target.api.secret!r} may not see it.",
            hint="Create it with publish:github or github:repo:create first, or correct repoUrl.",
        )
    return found
