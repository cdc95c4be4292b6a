"""The plugin registers itself."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.github.configuration import CONFIGURING
from flagstone.builtin.github.following import FollowPullRequest
from flagstone.builtin.github.hosts import GitHubHosts
from flagstone.builtin.github.issues import CreateIssue, LabelIssue
from flagstone.builtin.github.permissions import PERMISSIONS
from flagstone.builtin.github.pull_requests import PublishPullRequest
from flagstone.builtin.github.repositories import CreateRepository, PublishGitHub, PushRepository
from flagstone.builtin.github.settings import GitHubSettings
from flagstone.builtin.github.upgrades import UpgradeOnGitHub
from flagstone.builtin.github.workflows import DispatchWorkflow, FollowWorkflow, Workflows
from flagstone.sdk import Action, ActionTools, Deps, Slice, hookimpl
from flagstone.sdk.remotes import GitRemotes, RepoHosts, SecretReader


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """The permissions of the actions; settings that are wrong are told at the start."""
    settings = deps.settings("github", GitHubSettings)
    deps.provide(RepoHosts(tuple(host.host for host in settings.hosts)))
    return Slice("github", room="platform", permissions=PERMISSIONS)


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """All actions, over one set of hosts."""
    settings = deps.settings("github", GitHubSettings)
    tools = deps.get(ActionTools)  # type: ignore[type-abstract]
    hosts = GitHubHosts(settings, deps.get(SecretReader), tools)  # type: ignore[type-abstract]
    return build_actions(hosts, deps.get(GitRemotes), tools)  # type: ignore[type-abstract]


def build_actions(hosts: GitHubHosts, remotes: GitRemotes, tools: ActionTools) -> list[Action]:
    """One of each."""
    workflows = Workflows(tools)
    return [
        PublishGitHub(hosts, remotes),
        CreateRepository(hosts),
        PushRepository(hosts, remotes),
        PublishPullRequest(hosts),
        UpgradeOnGitHub(hosts, remotes),
        FollowPullRequest(hosts, poll_seconds=hosts.settings.poll_seconds),
        CreateIssue(hosts),
        LabelIssue(hosts),
        DispatchWorkflow(hosts, workflows),
        FollowWorkflow(hosts, workflows, poll_seconds=hosts.settings.poll_seconds),
        *(kind(hosts) for kind in CONFIGURING),
    ]
