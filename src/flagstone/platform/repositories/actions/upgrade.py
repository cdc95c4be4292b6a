"""``flagstone:repository:upgrade``: what a template gives now, merged into what was made from it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.platform.repositories.actions.publishing import read_files
from flagstone.platform.repositories.permissions import PUSH
from flagstone.platform.repositories.service.proposals import Proposals
from flagstone.platform.repositories.service.upgrading import Upgrade, Upgraded, Upgrades
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext
from flagstone.sdk.edits import plan_edits
from flagstone.toolkit.git import Author

_EXAMPLE = """\
- id: upgrade
  name: Propose the upgrade
  action: flagstone:repository:upgrade
  input:
    repository: acme/shop
    baseCommit: 8c7e1f3a5b9d2c4e6f8091a2b3c4d5e6f7089a1b
    branchName: upgrade/python-web-service
    title: Upgrade to the newest golden path
"""


class UpgradeRepository(Action):
    """Merge the files of the workspace, rendered from a new version of a template, into a hosted repository.

    Three ways: what the template gave before, what people made of it, what the template gives now. The result is a
    branch and a change request. A file that both changed differently holds both versions between conflict markers, and
    is named in the text of the change request.
    """

    id = "flagstone:repository:upgrade"
    title = "Propose the upgrade of a repository"
    permission = PUSH
    idempotency = "probe"
    examples = (ActionExample(title="Bring a service to the newest version of its golden path", yaml=_EXAMPLE),)

    class Input(Inputs):
        """What is merged into what."""

        repository: str = Field(description="project/name")
        base_commit: str = Field(
            alias="baseCommit",
            pattern="^[0-9a-f]{40}$",
            description="The commit that the template made, at first or with the last upgrade (renderedCommit).",
        )
        branch_name: str = Field(
            alias="branchName", min_length=1, max_length=200, description="The branch to make; it may get a number."
        )
        title: str = Field(min_length=1, max_length=300, description="Title, one line.")
        description: str = Field("", max_length=50_000, description="Text in Markdown.")
        source_path: str = Field("", alias="sourcePath", description="Folder of the workspace to take; default: all.")
        author_name: str = Field("", alias="gitAuthorName", description="Default: who started the run.")
        author_email: str = Field("", alias="gitAuthorEmail", description="Address of the author of commits.")

    class Output(Outputs):
        """The change request; without a number when the repository held everything already."""

        target_branch_name: str = Field(alias="targetBranchName", description="The branch it goes into.")
        remote_url: str = Field("", alias="remoteUrl", description="The page of the change request.")
        pull_request_number: int | None = Field(None, alias="pullRequestNumber", description="Its number.")
        rendered_commit: str = Field(
            "", alias="renderedCommit", description="What the template gave: baseCommit of the next upgrade."
        )
        commit_hash: str = Field("", alias="commitHash", description="The merge; empty while it is only planned.")
        conflicts: list[str] = Field([], description="Files that need a decision.")

    def __init__(self, upgrades: Upgrades, proposals: Proposals, author_email: str) -> None:
        self._upgrades = upgrades
        self._proposals = proposals
        self._author_email = author_email

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The merged difference, and which files need a decision."""
        merged, edits = self._upgrades.preview(inputs.repository, ctx.actor, self._wanted(ctx, inputs))
        if not edits:
            ctx.change("repository", "none", inputs.repository, "holds everything of this version already")
            return self.Output(target_branch_name=merged.target)
        facts = {"Branch": inputs.branch_name, "Into": merged.target}
        if merged.conflicts:
            facts["Conflicts"] = ", ".join(merged.conflicts)
        ctx.change("repository", "change", inputs.repository, f"change request: {inputs.title}", **facts)
        plan_edits(ctx, edits)
        return self.Output(target_branch_name=merged.target, conflicts=list(merged.conflicts))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Merge, and open it."""
        made = self._upgrades.open(inputs.repository, ctx.actor, self._wanted(ctx, inputs), step_key=ctx.step_key)
        if made.change is None:
            ctx.log(f"{inputs.repository} holds everything of this version already: no change request was opened.")
        else:
            ctx.log(f"Change request #{made.change.number} of {inputs.repository}: {made.change.web_url}")
            for path in made.merged.conflicts:
                ctx.log(f"{path} needs a decision: it was changed in the repository and in the template.", level="warn")
        return self._outputs(made)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step opened one before it was interrupted."""
        made = self._upgrades.made_by(inputs.repository, ctx.step_key, ctx.actor)
        return self._outputs(made) if made else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Close the change request, and delete its branch unless somebody has pushed to it."""
        commit = str(outputs.get("commitHash", ""))
        self._proposals.withdraw(ctx.step_key, ctx.actor, commit=commit, keep_branch=False)

    def _outputs(self, made: Upgraded) -> Outputs:
        change = made.change
        return self.Output(
            target_branch_name=made.merged.target,
            remote_url=change.web_url if change else "",
            pull_request_number=change.number if change else None,
            rendered_commit=made.merged.rendered,
            commit_hash=made.merged.commit if change else "",
            conflicts=list(made.merged.conflicts),
        )

    def _wanted(self, ctx: PlanContext | ActionContext, inputs: Any) -> Upgrade:
        return Upgrade(
            base=inputs.base_commit,
            files=read_files(ctx.workspace, inputs.source_path),
            branch=inputs.branch_name,
            title=inputs.title,
            text=inputs.description,
            author=Author(inputs.author_name or ctx.actor.name, inputs.author_email or self._author_email),
        )
