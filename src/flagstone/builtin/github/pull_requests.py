"""``publish:github:pull-request``: files of the workspace as a pull request, through the API without a clone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from flagstone.builtin.github.base import GitHubAction, RepoInputs, hidden, need
from flagstone.builtin.github.hosts import Target
from flagstone.builtin.github.merging import mode_of
from flagstone.builtin.github.pulls import opened_by, withdraw
from flagstone.builtin.github.trees import blobs_of, entries, find_ref
from flagstone.builtin.github.workspace import blob_id, read_files
from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.sdk import ActionContext, Outputs, PlanContext
from flagstone.sdk.edits import FileEdit, plan_edits

_MOST_SHOWN = 100

Wanted = Mapping[str, tuple[bytes, bool] | None]


@dataclass(frozen=True, slots=True)
class _Start:
    """What the branch is built on. ``there`` maps paths to (blob id, mode)."""

    base: str
    commit: str
    tree: str
    exists: bool
    there: Mapping[str, tuple[str, str]]

    def differing(self, wanted: Wanted) -> list[str]:
        """Paths whose content or mode is not yet as wanted."""
        return [path for path, content in sorted(wanted.items()) if not self._same(path, content)]

    def _same(self, path: str, content: tuple[bytes, bool] | None) -> bool:
        found = self.there.get(path)
        if content is None or found is None:
            return content is None and found is None
        return found == (blob_id(content[0]), mode_of(content[1]))


class PublishPullRequest(GitHubAction):
    """Put files of the workspace on a branch of a repository on GitHub and open a pull request for it.

    Only files that differ are committed; files of the repository that the workspace does not have stay as they are.
    """

    id = "publish:github:pull-request"
    title = "Open a pull request on GitHub"
    idempotency = "probe"
    examples = (
        ActionExample(
            title="Add files to a repository, to be reviewed by its team",
            yaml="""\
- id: propose
  name: Open the pull request
  action: publish:github:pull-request
  input:
    repoUrl: github.com?owner=acme&repo=shop
    branchName: add-database
    title: Add a database
    description: Asked for on the portal.
    sourcePath: ./change
    targetPath: deploy
    teamReviewers: [payments]
""",
        ),
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        branch_name: str = Field(alias="branchName", min_length=1, description="The branch to make.")
        title: str = Field(min_length=1, max_length=256, description="Title, one line.")
        description: str = Field(max_length=60_000, description="Text in Markdown.")
        target_branch_name: str = Field("", alias="targetBranchName", description="Default: the default branch.")
        draft: bool = Field(False, description="Open it as a draft.")
        source_path: str = Field("", alias="sourcePath", description="Folder of the workspace to take; default: all.")
        target_path: str = Field("", alias="targetPath", description="Folder of the repository to put it into.")
        files_to_delete: list[str] = Field([], alias="filesToDelete", description="Files of the repository to delete.")
        reviewers: list[str] = Field([], description="Users who are asked for a review.")
        team_reviewers: list[str] = Field([], alias="teamReviewers", description="Teams that are asked for a review.")
        assignees: list[str] = Field([], description="Users it is assigned to.")
        commit_message: str = Field("", alias="commitMessage", description="Default: the title.")
        update: bool = Field(False, description="Add a commit when the branch exists, and keep its pull request.")
        force_fork: bool = Field(False, alias="forceFork", description="Not supported; only false is taken.")
        author_name: str = Field("", alias="gitAuthorName", description="Author of the commit.")
        author_email: str = Field("", alias="gitAuthorEmail", description="Address of the author of commits.")
        no_author: bool = Field(False, alias="forceEmptyGitAuthor", description="The account of the credential.")
        create_when_empty: bool = Field(False, alias="createWhenEmpty", description="Even if no file differs.")

        @model_validator(mode="after")
        def _no_fork(self) -> PublishPullRequest.Input:
            if self.force_fork:
                raise ValueError("forceFork is not supported: branches are made in the repository itself")
            return self

    class Output(Outputs):
        """The pull request; without a number when there was nothing to change."""

        target_branch_name: str = Field(alias="targetBranchName", description="The branch it goes into.")
        remote_url: str = Field("", alias="remoteUrl", description="Its page.")
        pull_request_number: int | None = Field(None, alias="pullRequestNumber", description="Its number.")
        commit_hash: str = Field("", alias="commitHash", description="Empty while it is only planned.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Each file that would differ, with the difference from what is there."""
        target = self.target(inputs)
        start, wanted = self._start(target, inputs), _wanted(ctx, inputs)
        paths = start.differing(wanted)
        _refuse_other_files(target, start, paths, inputs)
        if not paths and not inputs.create_when_empty:
            ctx.change("repository", "none", target.subject, "holds these files already: no pull request is opened")
            return self.Output(target_branch_name=start.base)
        facts = {"Branch": inputs.branch_name, "Into": start.base}
        if reviewers := [*inputs.reviewers, *inputs.team_reviewers]:
            facts["Reviewers"] = ", ".join(reviewers)
        ctx.change("repository", "change", target.subject, f"pull request: {inputs.title}", **facts)
        plan_edits(ctx, [_edit(target, start, path, wanted[path]) for path in paths[:_MOST_SHOWN]])
        kept = [(path, content[0]) for path, content in wanted.items() if content and path not in set(paths)]
        plan_edits(ctx, [FileEdit(path, "none", data, data) for path, data in kept])
        if len(paths) > _MOST_SHOWN:
            ctx.change("file", "change", f"{len(paths) - _MOST_SHOWN} more files")
        return self.Output(target_branch_name=start.base)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Commit, make or move the branch, open the pull request."""
        target = self.target(inputs)
        start, wanted = self._start(target, inputs), _wanted(ctx, inputs)
        paths = start.differing(wanted)
        _refuse_other_files(target, start, paths, inputs)
        pull = _open_pull(target, inputs.branch_name, start.base) if start.exists else None
        ours = pull is not None and (inputs.update or hidden(ctx.step_key) in str(pull.get("body")))
        commit = start.commit
        if paths or (inputs.create_when_empty and not start.exists):
            commit = self._commit(target, inputs, start, {path: wanted[path] for path in paths})
            ctx.log(f"Committed {len(paths)} files to {inputs.branch_name} as {commit[:12]}.")
        elif pull is None and not _has_commits(target, start, inputs):
            ctx.log(f"{target.subject} holds these files already: no pull request was opened.", level="warn")
            return self.Output(target_branch_name=start.base)
        if pull is None:
            pull = self._open(target, inputs, start.base, ctx.step_key)
        elif not ours:
            raise Conflict(
                "github.pull_request_exists",
                f"Pull request #{pull['number']} of {target.subject} is about {inputs.branch_name!r} already.",
                hint="Choose another branchName, or set update.",
            )
        self._people(target, inputs, int(pull["number"]))
        ctx.log(f"Pull request #{pull['number']}: {pull['html_url']}")
        return self._outputs(start.base, pull, commit)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step opened one before it was interrupted: its body has a mark that is not shown."""
        target = self.target(inputs)
        pull = opened_by(target, inputs.branch_name, ctx.step_key)
        if pull is None:
            return None
        self._people(target, inputs, int(pull["number"]))
        return self._outputs(pull["base"]["ref"], pull, pull["head"]["sha"])

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Close the pull request, and delete its branch unless somebody has pushed to it."""
        withdraw(self.target(inputs), ctx.step_key, outputs, keep_branch=inputs.update)

    def _outputs(self, base: str, pull: Mapping[str, Any], commit: str) -> Outputs:
        return self.Output(
            target_branch_name=base,
            remote_url=pull["html_url"],
            pull_request_number=pull["number"],
            commit_hash=commit,
        )

    def _start(self, target: Target, inputs: Any) -> _Start:
        base = inputs.target_branch_name or str(need(target)["default_branch"])
        if base == inputs.branch_name:
            raise Invalid("github.same_branch", f"A pull request cannot go from {base!r} into itself.")
        head = find_ref(target, inputs.branch_name)
        found = head or find_ref(target, base)
        if found is None:
            raise NotFound(
                "github.no_branch",
                f"There is no branch {base!r} in {target.subject}.",
                hint="Push a first commit, or correct targetBranchName.",
            )
        commit = str(found["object"]["sha"])
        tree = str(target.api.get(f"{target.path}/git/commits/{commit}")["tree"]["sha"])
        return _Start(base, commit, tree, head is not None, blobs_of(target, tree))

    def _commit(self, target: Target, inputs: Any, start: _Start, changed: Wanted) -> str:
        api, path = target.api, target.path
        tree = start.tree
        if changed:
            wanted = {"base_tree": start.tree, "tree": entries(target, changed)}
            tree = str(api.send("POST", f"{path}/git/trees", wanted)["sha"])
        body: dict[str, Any] = {
            "message": inputs.commit_message or inputs.title,
            "tree": tree,
            "parents": [start.commit],
        }
        if not inputs.no_author and (inputs.author_name or inputs.author_email):
            settings = self._hosts.settings
            body["author"] = {
                "name": inputs.author_name or settings.author_name,
                "email": inputs.author_email or settings.author_email,
            }
        commit = str(api.send("POST", f"{path}/git/commits", body)["sha"])
        if start.exists:
            api.send("PATCH", f"{path}/git/refs/heads/{inputs.branch_name}", {"sha": commit, "force": False})
        else:
            api.send("POST", f"{path}/git/refs", {"ref": f"refs/heads/{inputs.branch_name}", "sha": commit})
        return commit

    @staticmethod
    def _open(target: Target, inputs: Any, base: str, step_key: str) -> dict[str, Any]:
        body = {
            "title": inputs.title,
            "body": f"{inputs.description}\n\n{hidden(step_key)}",
            "head": inputs.branch_name,
            "base": base,
            "draft": inputs.draft,
        }
        made: dict[str, Any] = target.api.send("POST", f"{target.path}/pulls", body)
        return made

    @staticmethod
    def _people(target: Target, inputs: Any, number: int) -> None:
        if inputs.reviewers or inputs.team_reviewers:
            teams = [team.rpartition("/")[2] for team in inputs.team_reviewers]
            body = {"reviewers": inputs.reviewers, "team_reviewers": teams}
            target.api.send("POST", f"{target.path}/pulls/{number}/requested_reviewers", body)
        if inputs.assignees:
            target.api.send("POST", f"{target.path}/issues/{number}/assignees", {"assignees": inputs.assignees})


def _wanted(ctx: PlanContext | ActionContext, inputs: Any) -> Wanted:
    wanted: dict[str, tuple[bytes, bool] | None] = {path.strip("/"): None for path in inputs.files_to_delete}
    try:
        return wanted | read_files(ctx.workspace, inputs.source_path, into=inputs.target_path)
    except (Invalid, NotFound) as error:
        if not wanted or error.code not in ("github.nothing_to_publish", "files.missing"):
            raise
    return wanted


def _refuse_other_files(target: Target, start: _Start, paths: list[str], inputs: Any) -> None:
    if start.exists and paths and not inputs.update:
        raise Conflict(
            "github.branch_exists",
            f"There is a branch {inputs.branch_name!r} in {target.subject} already, with other files.",
            hint="Choose another branchName, or set update to add a commit to it.",
        )


def _has_commits(target: Target, start: _Start, inputs: Any) -> bool:
    """Whether the branch, made before an interruption, has what the base does not."""
    if not start.exists:
        return False
    found = target.api.get(f"{target.path}/compare/{start.base}...{inputs.branch_name}")
    return int(found["ahead_by"]) > 0


def _open_pull(target: Target, branch: str, base: str) -> dict[str, Any] | None:
    head = f"{target.owner}:{branch}"
    found = target.api.get(f"{target.path}/pulls", state="open", head=head, base=base)
    return found[0] if found else None


def _edit(target: Target, start: _Start, path: str, content: tuple[bytes, bool] | None) -> FileEdit:
    after = content[0] if content else None
    there = start.there.get(path)
    if there is None:
        return FileEdit(path, "create", None, after)
    blob = target.api.get(f"{target.path}/git/blobs/{there[0]}")
    return FileEdit(path, "change" if content else "delete", base64.b64decode(blob["content"]), after)
