"""``publish:github``, ``github:repo:create`` and ``github:repo:push``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from flagstone.builtin.github import making
from flagstone.builtin.github.base import GitHubAction, RepoInputs, marker, need
from flagstone.builtin.github.fields import CommitFields, ProtectionFields, RepositoryFields
from flagstone.builtin.github.hosts import GitHubHosts, Target
from flagstone.builtin.github.permissions import CREATE
from flagstone.builtin.github.sealed import put_variables
from flagstone.builtin.github.workspace import read_files
from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.sdk import ActionContext, Outputs, PlanContext
from flagstone.sdk.remotes import FirstCommit, GitRemotes

_MADE_BY = "FLAGSTONE_STEP"
"""Variable of a repository that names the step which made it."""


class Published(Outputs):
    """Where the repository is."""

    remote_url: str = Field(alias="remoteUrl", description="The address to clone it from.")
    contents_url: str = Field(alias="repoContentsUrl", description="Address of its files, for catalog:register.")
    commit_hash: str = Field("", alias="commitHash", description="Empty while it is only planned.")


class _Pushing(GitHubAction):
    """Shared by the actions that push a first commit."""

    def __init__(self, hosts: GitHubHosts, remotes: GitRemotes) -> None:
        super().__init__(hosts)
        self._remotes = remotes

    def _commit(self, inputs: Any, info: dict[str, Any]) -> FirstCommit:
        settings = self._hosts.settings
        return FirstCommit(
            branch=inputs.default_branch,
            message=inputs.commit_message,
            author_name=inputs.author_name or settings.author_name,
            author_email=inputs.author_email or settings.author_email,
            # The time at which GitHub made the repository: a step that is done again makes the same commit.
            at=datetime.fromisoformat(str(info["created_at"])),
        )

    def _push(self, ctx: ActionContext, inputs: Any, target: Target, info: dict[str, Any]) -> str:
        files = read_files(ctx.workspace, inputs.source_path)
        made = self._remotes.push(
            target.clone_url,
            files,
            self._commit(inputs, info),
            authorization=target.git_authorization(),
            http=target.api.http,
        )
        ctx.log(f"Pushed {len(files)} files to {target.subject} in commit {made[:12]}.")
        return made

    def _pushed(self, ctx: ActionContext, inputs: Any, target: Target, info: dict[str, Any]) -> str:
        """The commit that this step pushes, if it is there; else empty."""
        commit = self._remotes.commit_id(read_files(ctx.workspace, inputs.source_path), self._commit(inputs, info))
        try:
            return commit if target.api.find(f"{target.path}/commits/{commit}") else ""
        except (Invalid, Conflict):  # how GitHub says that there is no such commit, or none at all
            return ""

    @staticmethod
    def _outputs(target: Target, branch: str, commit: str = "") -> Published:
        return Published(
            remote_url=target.clone_url, contents_url=f"{target.web_url}/blob/{branch}", commit_hash=commit
        )


class PublishGitHub(_Pushing):
    """Create a repository on GitHub with the files of the workspace as its first commit, and set it up."""

    id = "publish:github"
    title = "Create a repository on GitHub"
    permission = CREATE
    idempotency = "probe"
    examples = (
        ActionExample(
            title="Publish what was rendered",
            yaml="""\
- id: publish
  name: Publish
  action: publish:github
  input:
    repoUrl: github.com?owner=acme&repo=shop
    description: The shop
    defaultBranch: main
    repoVisibility: internal
    topics: [shop, python]
    collaborators:
      - team: payments
        access: admin
""",
        ),
    )

    class Input(RepoInputs, RepositoryFields, ProtectionFields, CommitFields):
        """As Backstage's action."""

    class Output(Published):
        """Where the repository is."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The repository, its settings, and how many files it starts with."""
        target = self.target(inputs)
        making.check_free(target)
        count = len(read_files(ctx.workspace, inputs.source_path))
        facts = {"Branch": inputs.default_branch, **making.facts(target, inputs)}
        if inputs.protect:
            facts["Protected"] = f"{inputs.default_branch}, {inputs.review_count} approving reviews"
        detail = f"{count} file{'' if count == 1 else 's'} in the first commit"
        ctx.change("repository", "create", target.subject, detail, **facts)
        return self._outputs(target, inputs.default_branch)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Make it, set it up, push, protect; whatever was done before an interruption is not done twice."""
        target = self.target(inputs)
        info = making.make(target, inputs, ctx.step_key)
        ctx.log(f"Created {target.web_url}")
        making.equip(target, inputs)
        commit = self._push(ctx, inputs, target, info)
        if inputs.protect:
            making.protect(target, inputs.default_branch, inputs, ctx.log)
        making.finish(target, inputs, default_branch=inputs.default_branch)
        return self._outputs(target, inputs.default_branch, commit)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step came to its end: its commit is there and its mark has gone."""
        target = self.target(inputs)
        info = target.info()
        if info is None or making.is_unfinished(info, ctx.step_key):
            return None
        commit = self._pushed(ctx, inputs, target, info)
        return self._outputs(target, inputs.default_branch, commit) if commit else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Delete the repository, unless somebody has pushed to it."""
        target = self.target(inputs)
        if target.info() is None:
            return
        branches = list(target.api.pages(f"{target.path}/branches"))
        commit = outputs.get("commitHash")
        if [item["commit"]["sha"] for item in branches] in ([], [commit]):
            target.api.remove(target.path)


class CreateRepository(GitHubAction):
    """Create a repository on GitHub without files of the workspace, and set it up."""

    id = "github:repo:create"
    title = "Create an empty repository on GitHub"
    permission = CREATE
    idempotency = "probe"
    examples = (
        ActionExample(
            title="A repository for others to fill",
            yaml="- id: create\n  action: github:repo:create\n  input:\n    repoUrl: github.com?owner=acme&repo=shop\n",
        ),
    )

    class Input(RepoInputs, RepositoryFields):
        """As Backstage's action."""

        auto_init: bool = Field(False, alias="autoInit", description="With a README as its first commit.")
        workflow_access: str | None = Field(
            None, alias="workflowAccess", description="Who may use its workflows: none, organization or user."
        )

    class Output(Published):
        """Where the repository is."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The repository and its settings."""
        target = self.target(inputs)
        making.check_free(target)
        ctx.change("repository", "create", target.subject, "empty", **making.facts(target, inputs))
        return self._outputs(target)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Make it and set it up."""
        target = self.target(inputs)
        making.make(target, inputs, ctx.step_key, auto_init=inputs.auto_init)
        making.equip(target, inputs)
        if inputs.workflow_access:
            body = {"access_level": inputs.workflow_access}
            target.api.send("PUT", f"{target.path}/actions/permissions/access", body)
        try:
            put_variables(target.api, f"{target.path}/actions", {_MADE_BY: marker(ctx.step_key)})
        except (Denied, NotFound):
            ctx.log("The mark of this step stays in the description: its credential may not write variables.")
        else:
            making.finish(target, inputs)
        ctx.log(f"Created {target.web_url}")
        return self._outputs(target)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step came to its end: its variable is there and its mark has gone."""
        target = self.target(inputs)
        info = target.info()
        if info is None or making.is_unfinished(info, ctx.step_key):
            return None
        try:
            found = target.api.find(f"{target.path}/actions/variables/{_MADE_BY}")
        except Denied:
            return None
        return self._outputs(target) if found and found["value"] == marker(ctx.step_key) else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Delete the repository, unless somebody has pushed to it."""
        target = self.target(inputs)
        if target.info() is None:
            return
        branches = list(target.api.pages(f"{target.path}/branches"))
        if len(branches) <= int(inputs.auto_init):
            target.api.remove(target.path)

    @staticmethod
    def _outputs(target: Target) -> Published:
        return Published(remote_url=target.clone_url, contents_url=f"{target.web_url}/blob/main")


class PushRepository(_Pushing):
    """Push the files of the workspace as the first commit of a branch of a repository on GitHub."""

    id = "github:repo:push"
    title = "Push to a repository on GitHub"
    idempotency = "probe"
    without_undo = "Commits that others may have fetched are not taken back."
    examples = (
        ActionExample(
            title="Fill a repository that an earlier step made",
            yaml="- id: push\n  action: github:repo:push\n  input:\n    repoUrl: github.com?owner=acme&repo=shop\n",
        ),
    )

    class Input(RepoInputs, ProtectionFields, CommitFields):
        """As Backstage's action."""

    class Output(Published):
        """Where the repository is."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """How many files are pushed."""
        target = self.existing(inputs, ctx)
        count = len(read_files(ctx.workspace, inputs.source_path))
        ctx.change("repository", "change", target.subject, f"{count} files pushed", Branch=inputs.default_branch)
        return self._outputs(target, inputs.default_branch)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Push and protect."""
        target = self.target(inputs)
        commit = self._push(ctx, inputs, target, need(target))
        if inputs.protect:
            making.protect(target, inputs.default_branch, inputs, ctx.log)
        return self._outputs(target, inputs.default_branch, commit)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Pushing and protecting again is the same: only when there is nothing to do any more is it said to be done."""
        target = self.target(inputs)
        info = target.info()
        commit = self._pushed(ctx, inputs, target, info) if info else ""
        if not commit:
            return None
        if inputs.protect:
            making.protect(target, inputs.default_branch, inputs, ctx.log)
        return self._outputs(target, inputs.default_branch, commit)
