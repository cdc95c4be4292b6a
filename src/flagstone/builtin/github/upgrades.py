"""``flagstone:github:upgrade``: what a template gives now, merged into what was made from it, as a pull request.

The branch holds two commits: one with what the template gives, on top of what it gave before, and the merge of that
one with the default branch. So the next upgrade finds its base, and git the common ancestor.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from flagstone.builtin.github.base import GitHubAction, RepoInputs, hidden, marker, need
from flagstone.builtin.github.hosts import GitHubHosts, Target
from flagstone.builtin.github.merging import Blobs, Contents, Merged, merge, rendered_changes
from flagstone.builtin.github.pulls import opened_by, withdraw
from flagstone.builtin.github.trees import blobs_of, entries, find_ref
from flagstone.builtin.github.workspace import read_files
from flagstone.contracts.actions import ActionExample
from flagstone.contracts.plans import FileOp
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.sdk import ActionContext, Outputs, PlanContext
from flagstone.sdk.edits import FileEdit, plan_edits
from flagstone.sdk.remotes import GitRemotes

_FACTS = "flagstone-upgrade"
_LISTED = 100


@dataclass(frozen=True, slots=True)
class _Start:
    """The three sides of the merge. ``commit`` is the head of the branch that it goes into."""

    target: Target
    branch: str
    commit: str
    base: Blobs
    ours: Blobs
    now: Contents


class UpgradeOnGitHub(GitHubAction):
    """Merge the files of the workspace, rendered from a new version of a template, into a repository on GitHub.

    Three ways: what the template gave before, what people made of it, what the template gives now. The result is a
    branch and a pull request. A file that both changed differently holds both versions between conflict markers, and
    is named in the text of the pull request.
    """

    id = "flagstone:github:upgrade"
    title = "Propose the upgrade of a repository on GitHub"
    idempotency = "probe"
    examples = (
        ActionExample(
            title="Bring a service to the newest version of its golden path",
            yaml="""\
- id: upgrade
  name: Propose the upgrade
  action: flagstone:github:upgrade
  input:
    repoUrl: github.com?owner=acme&repo=shop
    baseCommit: 8c7e1f3a5b9d2c4e6f8091a2b3c4d5e6f7089a1b
    branchName: upgrade/python-web-service
    title: Upgrade to the newest golden path
""",
        ),
    )

    class Input(RepoInputs):
        """What is merged into what."""

        base_commit: str = Field(
            alias="baseCommit",
            pattern="^[0-9a-f]{40}$",
            description="The commit that the template made, at first or with the last upgrade (renderedCommit).",
        )
        branch_name: str = Field(
            alias="branchName",
            min_length=1,
            max_length=200,
            description="The branch to make; a word of its own is added to it.",
        )
        title: str = Field(min_length=1, max_length=256, description="Title, one line.")
        description: str = Field("", max_length=50_000, description="Text in Markdown.")
        source_path: str = Field("", alias="sourcePath", description="Folder of the workspace to take; default: all.")

    class Output(Outputs):
        """The pull request; without a number when the repository held everything already."""

        target_branch_name: str = Field(alias="targetBranchName", description="The branch it goes into.")
        remote_url: str = Field("", alias="remoteUrl", description="The page of the pull request.")
        pull_request_number: int | None = Field(None, alias="pullRequestNumber", description="Its number.")
        rendered_commit: str = Field(
            "", alias="renderedCommit", description="What the template gave: baseCommit of the next upgrade."
        )
        commit_hash: str = Field("", alias="commitHash", description="The merge; empty while it is only planned.")
        conflicts: list[str] = Field([], description="Files that need a decision.")

    def __init__(self, hosts: GitHubHosts, remotes: GitRemotes) -> None:
        super().__init__(hosts)
        self._remotes = remotes

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The merged difference, and which files need a decision."""
        start = self._start(ctx, inputs)
        merged = self._merged(start)
        if not merged.changes and not merged.conflicts:
            ctx.change("repository", "none", start.target.subject, "holds everything of this version already")
            return self.Output(target_branch_name=start.branch)
        facts = {"Branch": inputs.branch_name, "Into": start.branch}
        if merged.conflicts:
            facts["Conflicts"] = ", ".join(merged.conflicts)
        ctx.change("repository", "change", start.target.subject, f"pull request: {inputs.title}", **facts)
        plan_edits(ctx, [_edit(start, path, content) for path, content in merged.changes.items()])
        return self.Output(target_branch_name=start.branch, conflicts=list(merged.conflicts))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Merge, make the branch, open the pull request."""
        start = self._start(ctx, inputs)
        target, branch = start.target, _branch(inputs, ctx.step_key)
        merged = self._merged(start)
        rendered = self._rendered(start, inputs)
        if not merged.changes and not merged.conflicts:
            ctx.log(f"{target.subject} holds everything of this version already: no pull request was opened.")
            return self.Output(target_branch_name=start.branch, rendered_commit=rendered)
        there = find_ref(target, branch)
        commit = self._commit(start, inputs, merged, rendered)
        if there is None:
            target.api.send("POST", f"{target.path}/git/refs", {"ref": f"refs/heads/{branch}", "sha": commit})
        elif there["object"]["sha"] != commit:
            # Made before an interruption; nobody has been told of it yet, so what is merged now counts.
            target.api.send("PATCH", f"{target.path}/git/refs/heads/{branch}", {"sha": commit, "force": True})
        facts = {"rendered": rendered, "conflicts": list(merged.conflicts)}
        body = {
            "title": inputs.title,
            "body": f"{_text(inputs.description, merged.conflicts)}\n\n{hidden(ctx.step_key)}\n{_hidden_facts(facts)}",
            "head": branch,
            "base": start.branch,
        }
        pull = target.api.send("POST", f"{target.path}/pulls", body)
        ctx.log(f"Pull request #{pull['number']} of {target.subject}: {pull['html_url']}")
        for path in merged.conflicts:
            ctx.log(f"{path} needs a decision: it was changed in the repository and in the template.", level="warn")
        return self._outputs(pull, facts)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step opened one before it was interrupted."""
        target = self.target(inputs)
        pull = opened_by(target, _branch(inputs, ctx.step_key), ctx.step_key)
        return self._outputs(pull, _facts(str(pull.get("body")))) if pull else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Close the pull request, and delete its branch unless somebody has pushed to it."""
        withdraw(self.target(inputs), ctx.step_key, outputs)

    def _outputs(self, pull: Mapping[str, Any], facts: Mapping[str, Any]) -> Outputs:
        return self.Output(
            target_branch_name=pull["base"]["ref"],
            remote_url=pull["html_url"],
            pull_request_number=pull["number"],
            rendered_commit=str(facts.get("rendered", "")),
            commit_hash=pull["head"]["sha"],
            conflicts=[str(path) for path in facts.get("conflicts", ())],
        )

    def _start(self, ctx: PlanContext | ActionContext, inputs: Any) -> _Start:
        target = self.target(inputs)
        branch = str(need(target)["default_branch"])
        head = find_ref(target, branch)
        if head is None:
            raise Invalid("github.no_branch", f"There is no branch {branch!r} in {target.subject} to upgrade.")
        base = target.api.find(f"{target.path}/git/commits/{inputs.base_commit}")
        if base is None:
            raise Invalid(
                "github.no_base",
                f"{target.subject} has no commit {inputs.base_commit[:12]}, which the template made.",
                hint="Its history was rewritten. Take the change over by hand.",
            )
        commit = str(head["object"]["sha"])
        ours = target.api.get(f"{target.path}/git/commits/{commit}")
        return _Start(
            target,
            branch,
            commit,
            blobs_of(target, str(base["tree"]["sha"])),
            blobs_of(target, str(ours["tree"]["sha"])),
            read_files(ctx.workspace, inputs.source_path),
        )

    def _merged(self, start: _Start) -> Merged:
        return merge(
            start.base, start.ours, start.now, lambda blob: _read(start.target, blob), self._remotes.merge_file
        )

    def _rendered(self, start: _Start, inputs: Any) -> str:
        """The commit of what the template gives now; the base when that is the same."""
        changes = rendered_changes(start.base, start.now)
        if not changes:
            return str(inputs.base_commit)
        return self._new_commit(start.target, str(inputs.base_commit), [inputs.base_commit], changes, inputs)

    def _commit(self, start: _Start, inputs: Any, merged: Merged, rendered: str) -> str:
        parents = [start.commit, rendered]
        return self._new_commit(start.target, start.commit, parents, merged.changes, inputs)

    @staticmethod
    def _new_commit(
        target: Target, onto: str, parents: list[str], changes: Mapping[str, tuple[bytes, bool] | None], inputs: Any
    ) -> str:
        tree = str(target.api.get(f"{target.path}/git/commits/{onto}")["tree"]["sha"])
        if changes:
            wanted = {"base_tree": tree, "tree": entries(target, changes)}
            tree = str(target.api.send("POST", f"{target.path}/git/trees", wanted)["sha"])
        body = {"message": inputs.title, "tree": tree, "parents": parents}
        return str(target.api.send("POST", f"{target.path}/git/commits", body)["sha"])


def _branch(inputs: Any, step_key: str) -> str:
    """A step has a branch of its own: one that is there already was made by this step."""
    return f"{inputs.branch_name}-{marker(step_key)[-6:]}"


def _text(text: str, conflicts: tuple[str, ...]) -> str:
    if not conflicts:
        return text
    listed = "\n".join(f"- `{path}`" for path in conflicts[:_LISTED])
    more = len(conflicts) - _LISTED
    rest = f"\n- and {more} more" if more > 0 else ""
    return (
        f"{text}\n\n**These files were changed here and in the template. Where both are text, both versions stand in"
        f" them between `<<<<<<<` and `>>>>>>>`; decide on the branch before you merge:**\n\n{listed}{rest}"
    ).strip()


def _hidden_facts(facts: Mapping[str, Any]) -> str:
    return f"<!-- {_FACTS} {json.dumps(facts).replace('>', chr(92) + 'u003e')} -->"


def _facts(body: str) -> dict[str, Any]:
    text = body.rpartition(f"<!-- {_FACTS} ")[2].partition(" -->")[0]
    try:
        found = json.loads(text)
    except ValueError:
        raise Conflict("github.text_changed", "The text of the pull request no longer tells what it was.") from None
    return found if isinstance(found, dict) else {}


def _read(target: Target, blob: str) -> bytes:
    return base64.b64decode(target.api.get(f"{target.path}/git/blobs/{blob}")["content"])


def _edit(start: _Start, path: str, content: tuple[bytes, bool] | None) -> FileEdit:
    there = start.ours.get(path)
    op: FileOp = "create" if there is None else "change" if content is not None else "delete"
    return FileEdit(path, op, _read(start.target, there[0]) if there else None, content[0] if content else None)
