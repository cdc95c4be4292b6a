"""Settings of a repository on GitHub: webhook, deploy key, environment, autolink, branch protection, pages.

Each is found by what identifies it and changed when it is there: doing it again is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from flagstone.builtin.github import making
from flagstone.builtin.github.base import GitHubAction, RepoInputs
from flagstone.builtin.github.fields import ProtectionFields
from flagstone.builtin.github.hosts import Target
from flagstone.builtin.github.sealed import put_secrets, put_variables
from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.sdk import ActionContext, Inputs, Outputs, PlanContext

_NO_UNDO = "How the repository was set up before is not known afterwards."


def _example(title: str, action: str, inputs: str) -> tuple[ActionExample, ...]:
    head = f"- id: configure\n  action: {action}\n  input:\n    repoUrl: github.com?owner=acme&repo=shop\n"
    lines = "".join(f"    {line}\n" for line in inputs.splitlines())
    return (ActionExample(title=title, yaml=head + lines),)


class _Configuring(GitHubAction, ABC):
    idempotency = "natural"
    without_undo = _NO_UNDO

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What is set."""
        target = self.existing(inputs, ctx)
        ctx.change("repository", "change", target.subject, self.summary(inputs))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Set it."""
        target = self.target(inputs)
        found = self.configure(ctx, target, inputs)
        ctx.log(f"{target.subject}: {self.summary(inputs)}.")
        return found or self.Output()

    @abstractmethod
    def summary(self, inputs: Any) -> str:
        """In a few words, without secrets."""

    @abstractmethod
    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> Outputs | None:
        """The calls."""


class CreateWebhook(_Configuring):
    """Have GitHub send events of a repository to an address; a webhook for that address is changed, not doubled."""

    id = "github:webhook"
    title = "Add a webhook on GitHub"
    examples = _example(
        "Tell a build server of pushes",
        "github:webhook",
        "webhookUrl: https://ci.acme.example/hook\nwebhookSecret: ${{ secrets.hook }}\nevents: [push]",
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        url: str = Field(alias="webhookUrl", pattern="^https?://", description="Where the events are sent.")
        secret: SecretStr = Field(
            SecretStr(""), alias="webhookSecret", description="Signs the events; a secret of the run."
        )
        events: list[str] = Field(["push"], min_length=1, description="Names of events; * for all.")
        active: bool = Field(True, description="Whether events are sent.")
        content_type: Literal["form", "json"] = Field("form", alias="contentType", description="How events are sent.")
        insecure: bool = Field(False, alias="insecureSsl", description="Do not check the certificate.")

    def summary(self, inputs: Any) -> str:
        """The address and the events."""
        return f"webhook to {inputs.url} for {', '.join(inputs.events)}"

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> None:
        """Change the webhook of this address, or make it."""
        config = {
            "url": inputs.url,
            "content_type": inputs.content_type,
            "insecure_ssl": "1" if inputs.insecure else "0",
        }
        if secret := inputs.secret.get_secret_value():
            config["secret"] = secret
        body: dict[str, Any] = {"config": config, "events": inputs.events, "active": inputs.active}
        for hook in target.api.pages(f"{target.path}/hooks"):
            if hook["config"].get("url") == inputs.url:
                target.api.send("PATCH", f"{target.path}/hooks/{hook['id']}", body)
                return
        target.api.send("POST", f"{target.path}/hooks", {"name": "web", **body})


class CreateDeployKey(_Configuring):
    """Give a key access to a repository, and keep its private half as a secret of GitHub Actions."""

    id = "github:deployKey:create"
    title = "Add a deploy key on GitHub"
    examples = _example(
        "A key for a server",
        "github:deployKey:create",
        "publicKey: ssh-ed25519 AAAA\nprivateKey: ${{ secrets.key }}\ndeployKeyName: server",
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        public_key: str = Field(alias="publicKey", min_length=1, description="The public half, in the form of OpenSSH.")
        private_key: SecretStr = Field(alias="privateKey", description="The private half; a secret of the run.")
        name: str = Field(alias="deployKeyName", min_length=1, description="Title of the key.")
        secret_name: str = Field(
            "KEY_NAME", alias="privateKeySecretName", description="Name of the secret that holds the private half."
        )

    class Output(Outputs):
        """Where the private half is."""

        secret_name: str = Field(
            alias="privateKeySecretName", description="Name of the secret that holds the private half."
        )

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What is set."""
        target = self.existing(inputs, ctx)
        ctx.change("repository", "change", target.subject, self.summary(inputs))
        return self.Output(secret_name=inputs.secret_name)

    def summary(self, inputs: Any) -> str:
        """The names."""
        return f"deploy key {inputs.name}, secret {inputs.secret_name}"

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> Outputs:
        """Add the key unless it is there; set the secret."""
        wanted = inputs.public_key.split()[:2]
        there = any(key["key"].split()[:2] == wanted for key in target.api.pages(f"{target.path}/keys"))
        if not there:
            body = {"title": inputs.name, "key": inputs.public_key, "read_only": False}
            target.api.send("POST", f"{target.path}/keys", body)
        put_secrets(target.api, f"{target.path}/actions", {inputs.secret_name: inputs.private_key.get_secret_value()})
        return self.Output(secret_name=inputs.secret_name)


class Reviewer(Inputs):
    """A user or a team by number."""

    type: Literal["User", "Team"]
    id: int


class BranchPolicy(Inputs):
    """Which branches may be deployed."""

    protected_branches: bool
    custom_branch_policies: bool


class CreateEnvironment(_Configuring):
    """Make an environment of GitHub Actions, or change it."""

    id = "github:environment:create"
    title = "Create an environment on GitHub"
    examples = _example(
        "Production, from main only",
        "github:environment:create",
        "name: production\nwaitTimer: 10\nenvironmentVariables: {REGION: eu}",
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        name: str = Field(min_length=1, pattern=r"^[^/?#%]+$", description="Name of the environment.")
        policy: BranchPolicy | None = Field(
            None,
            alias="deploymentBranchPolicy",
            description="Whether protected branches, or those named, may be deployed.",
        )
        branches: list[str] = Field(
            [], alias="customBranchPolicyNames", description="Patterns of branches that may be deployed."
        )
        tags: list[str] = Field([], alias="customTagPolicyNames", description="Patterns of tags that may be deployed.")
        variables: dict[str, str] = Field({}, alias="environmentVariables", description="Variables of the environment.")
        secrets: dict[str, str] = Field({}, description="Sealed before they are sent.")
        wait_timer: int | None = Field(None, alias="waitTimer", ge=0, le=43_200, description="In minutes.")
        no_self_review: bool | None = Field(
            None, alias="preventSelfReview", description="Who started a deployment may not approve it."
        )
        reviewers: list[Reviewer | str] = Field([], description="User entity refs, or {type, id} of GitHub.")

        @field_validator("reviewers")
        @classmethod
        def _numbers(cls, value: list[Reviewer | str]) -> list[Reviewer | str]:
            if len(value) > 6:
                raise ValueError("GitHub takes at most six reviewers")
            return value

    def summary(self, inputs: Any) -> str:
        """Name, variables, names of secrets."""
        names = [*inputs.variables, *inputs.secrets]
        return f"environment {inputs.name}" + (f" with {', '.join(sorted(names))}" if names else "")

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> None:
        """Make it, then its branches, variables and secrets."""
        api, path = target.api, f"{target.path}/environments/{inputs.name}"
        body: dict[str, Any] = {"deployment_branch_policy": inputs.policy.model_dump() if inputs.policy else None}
        if inputs.wait_timer is not None:
            body["wait_timer"] = inputs.wait_timer
        if inputs.no_self_review is not None:
            body["prevent_self_review"] = inputs.no_self_review
        if inputs.reviewers:
            body["reviewers"] = [_reviewer(target, item) for item in inputs.reviewers]
        api.send("PUT", path, body)
        wanted = [(name, "branch") for name in inputs.branches] + [(name, "tag") for name in inputs.tags]
        if wanted:
            found = api.get(f"{path}/deployment-branch-policies", per_page=100)["branch_policies"]
            there = {(item["name"], item.get("type", "branch")) for item in found}
            for name, kind in wanted:
                if (name, kind) not in there:
                    api.send("POST", f"{path}/deployment-branch-policies", {"name": name, "type": kind})
        put_variables(api, path, inputs.variables)
        put_secrets(api, path, inputs.secrets)


def _reviewer(target: Target, item: Reviewer | str) -> dict[str, Any]:
    if isinstance(item, Reviewer):
        return item.model_dump()
    kind, _, rest = item.rpartition(":")
    name = rest.rpartition("/")[2]
    if kind == "group":
        return {"type": "Team", "id": target.api.get(f"/orgs/{target.owner}/teams/{name}")["id"]}
    return {"type": "User", "id": target.api.get(f"/users/{name}")["id"]}


class CreateAutolink(_Configuring):
    """Have GitHub turn references such as ``TICKET-12`` into links."""

    id = "github:autolinks:create"
    title = "Add an autolink on GitHub"
    examples = _example(
        "Link tickets",
        "github:autolinks:create",
        "keyPrefix: TICKET-\nurlTemplate: https://tickets.acme.example/<num>",
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        prefix: str = Field(
            alias="keyPrefix", min_length=1, description="What a reference begins with, such as TICKET-."
        )
        template: str = Field(
            alias="urlTemplate", min_length=1, description="Address with <num> in the place of the number."
        )
        alphanumeric: bool = Field(
            True, alias="isAlphanumeric", description="Whether letters may follow the prefix, too."
        )

        @field_validator("template")
        @classmethod
        def _has_number(cls, value: str) -> str:
            if "<num>" not in value:
                raise ValueError("must contain <num>")
            return value

    def summary(self, inputs: Any) -> str:
        """Prefix and address."""
        return f"autolink {inputs.prefix} to {inputs.template}"

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> None:
        """Add it, unless it is there."""
        for link in target.api.get(f"{target.path}/autolinks"):
            if link["key_prefix"] == inputs.prefix:
                if link["url_template"] == inputs.template:
                    return
                raise Conflict(
                    "github.autolink_exists",
                    f"{target.subject} links {inputs.prefix} to {link['url_template']} already.",
                    hint="Remove that autolink first: GitHub cannot change one.",
                )
        body = {
            "key_prefix": inputs.prefix,
            "url_template": inputs.template,
            "is_alphanumeric": inputs.alphanumeric,
        }
        target.api.send("POST", f"{target.path}/autolinks", body)


class ProtectBranch(_Configuring):
    """Protect a branch of a repository on GitHub."""

    id = "github:branch-protection:create"
    title = "Protect a branch on GitHub"
    examples = _example(
        "Two reviews for main", "github:branch-protection:create", "branch: main\nrequiredApprovingReviewCount: 2"
    )

    class Input(RepoInputs, ProtectionFields):
        """As Backstage's action."""

        branch: str = Field("", description="Default: the default branch.")
        block_creations: bool = Field(
            False, alias="blockCreations", description="Nobody may create branches that match."
        )

    def summary(self, inputs: Any) -> str:
        """Branch and reviews."""
        return f"branch {inputs.branch or 'by default'} protected, {inputs.review_count} approving reviews"

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> None:
        """Protect it."""
        branch = inputs.branch or str(target.api.get(target.path)["default_branch"])
        making.protect(target, branch, inputs, ctx.log, block_creations=inputs.block_creations)


class EnablePages(_Configuring):
    """Turn on GitHub Pages for a repository, or change where they come from."""

    id = "github:pages:enable"
    title = "Enable GitHub Pages"
    examples = _example(
        "From the folder docs", "github:pages:enable", "buildType: legacy\nsourceBranch: main\nsourcePath: /docs"
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        build_type: Literal["workflow", "legacy"] = Field(
            "workflow", alias="buildType", description="By a workflow, or from a branch (legacy)."
        )
        branch: str = Field("main", alias="sourceBranch", description="The branch of legacy pages.")
        path: Literal["/", "/docs"] = Field("/", alias="sourcePath", description="The folder of legacy pages.")

    def summary(self, inputs: Any) -> str:
        """How they are built."""
        return f"pages built by {inputs.build_type}"

    def configure(self, ctx: ActionContext, target: Target, inputs: Any) -> None:
        """Turn them on; pages that are on are changed."""
        body: dict[str, Any] = {"build_type": inputs.build_type}
        if inputs.build_type == "legacy":
            body["source"] = {"branch": inputs.branch, "path": inputs.path}
        try:
            target.api.send("POST", f"{target.path}/pages", body)
        except (Conflict, Invalid):
            if target.api.find(f"{target.path}/pages") is None:
                raise
            target.api.send("PUT", f"{target.path}/pages", body)


CONFIGURING: tuple[type[GitHubAction], ...] = (
    CreateWebhook,
    CreateDeployKey,
    CreateEnvironment,
    CreateAutolink,
    ProtectBranch,
    EnablePages,
)
