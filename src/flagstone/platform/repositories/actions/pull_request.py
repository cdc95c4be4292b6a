"""``publish:git:pull-request``: files of the workspace as a change request to a hosted repository."""

from __future__ import annotations

import posixpath
from typing import Any

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.platform.repositories.actions.publishing import read_files, repository_name
from flagstone.platform.repositories.permissions import PUSH
from flagstone.platform.repositories.service.proposals import Edits, Proposal, Proposals, Proposed
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext
from flagstone.sdk.edits import plan_edits
from flagstone.toolkit.git import Author

_EXAMPLE = """\
- id: propose
  name: Propose the database
  action: publish:git:pull-request
  input:
    repoUrl: flagstone?owner=acme&repo=shop
    branchName: add-database
    title: Add a database
    description: Asked for by ${{ user.entity.metadata.name }}.
    sourcePath: ./change
    targetPath: deploy
"""


class PublishPullRequest(Action):
    """Put files of the workspace on a branch of a hosted repository and open a change request for it.

    Only files that differ are committed; files of the repository that the workspace does not have stay as they are.
    """

    id = "publish:git:pull-request"
    title = "Open a change request"
    permission = PUSH
    idempotency = "probe"
    examples = (ActionExample(title="Add files to a repository, to be looked at first", yaml=_EXAMPLE),)

    class Input(Inputs):
        """As Backstage's actions for pull requests."""

        repo_url: str = Field(alias="repoUrl", description="flagstone?owner=<project>&repo=<name>")
        branch_name: str = Field(alias="branchName", min_length=1, description="The branch to make.")
        title: str = Field(min_length=1, max_length=300, description="Title, one line.")
        description: str = Field(max_length=60_000, description="Text in Markdown.")
        target_branch_name: str = Field("", alias="targetBranchName", description="Default: the default branch.")
        source_path: str = Field("", alias="sourcePath", description="Folder of the workspace to take; default: all.")
        target_path: str = Field("", alias="targetPath", description="Folder of the repository to put it into.")
        files_to_delete: list[str] = Field([], alias="filesToDelete", description="Files of the repository to delete.")
        commit_message: str = Field("", alias="commitMessage", description="Default: the title.")
        author_name: str = Field("", alias="gitAuthorName", description="Default: who started the run.")
        author_email: str = Field("", alias="gitAuthorEmail", description="Address of the author of commits.")
        update: bool = Field(False, description="Add a commit when the branch exists, and keep its change request.")
        create_when_empty: bool = Field(False, alias="createWhenEmpty", description="Even if no file differs.")

    class Output(Outputs):
        """The change request; without a number when there was nothing to change."""

        target_branch_name: str = Field(alias="targetBranchName", description="The branch it goes into.")
        remote_url: str = Field("", alias="remoteUrl", description="Its page.")
        pull_request_number: int | None = Field(None, alias="pullRequestNumber", description="Its number.")
        commit_hash: str = Field("", alias="commitHash", description="Empty while it is only planned.")

    def __init__(self, proposals: Proposals, author_email: str) -> None:
        self._proposals = proposals
        self._author_email = author_email

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Each file that would differ, with the difference from what is there."""
        name, proposal = repository_name(inputs.repo_url, self.id), self._proposal(ctx, inputs)
        target, edits = self._proposals.preview(name, ctx.actor, proposal)
        if all(edit.op == "none" for edit in edits) and not inputs.create_when_empty:
            ctx.change("repository", "none", name, "holds these files already: no change request is opened")
            return self.Output(target_branch_name=target)
        facts = {"Branch": inputs.branch_name, "Into": target}
        ctx.change("repository", "change", name, f"change request: {inputs.title}", **facts)
        plan_edits(ctx, edits)
        return self.Output(target_branch_name=target)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Commit and open it."""
        name = repository_name(inputs.repo_url, self.id)
        made = self._proposals.propose(name, ctx.actor, self._proposal(ctx, inputs), step_key=ctx.step_key)
        if made.change is None:
            ctx.log(f"{name} holds these files already: no change request was opened.", level="warn")
        else:
            ctx.log(f"Change request #{made.change.number} of {name}: {made.change.web_url}")
        return self._outputs(made)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step opened one before it was interrupted."""
        made = self._proposals.made_by(ctx.step_key, ctx.actor)
        return self._outputs(made) if made else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Close the change request, and delete its branch unless somebody has pushed to it."""
        commit = str(outputs.get("commitHash", ""))
        self._proposals.withdraw(ctx.step_key, ctx.actor, commit=commit, keep_branch=inputs.update)

    def _outputs(self, made: Proposed) -> Outputs:
        if made.change is None:
            return self.Output(target_branch_name=made.target)
        return self.Output(
            target_branch_name=made.target,
            remote_url=made.change.web_url,
            pull_request_number=made.change.number,
            commit_hash=made.commit,
        )

    def _proposal(self, ctx: PlanContext | ActionContext, inputs: Any) -> Proposal:
        return Proposal(
            branch=inputs.branch_name,
            target=inputs.target_branch_name,
            title=inputs.title,
            text=inputs.description,
            edits=_edits(ctx, inputs),
            message=inputs.commit_message or inputs.title,
            author=Author(inputs.author_name or ctx.actor.name, inputs.author_email or self._author_email),
            update=inputs.update,
            when_empty=inputs.create_when_empty,
        )


def _edits(ctx: PlanContext | ActionContext, inputs: Any) -> Edits:
    folder = _folder(inputs.target_path)
    edits: dict[str, tuple[bytes, bool] | None] = {path.strip("/"): None for path in inputs.files_to_delete}
    try:
        found = read_files(ctx.workspace, inputs.source_path)
    except (Invalid, NotFound) as error:
        if not edits or error.code not in ("repositories.nothing_to_publish", "files.missing"):
            raise
        found = {}
    for path, content in found.items():
        edits[posixpath.join(folder, path)] = content
    return edits


def _folder(text: str) -> str:
    plain = posixpath.normpath(text.strip("/") or ".")
    if plain.split("/")[0] == "..":
        raise Invalid("repositories.bad_target_path", f"{text!r} lies outside of the repository.")
    return "" if plain == "." else plain
