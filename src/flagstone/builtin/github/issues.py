"""``github:issues:create`` and ``github:issues:label``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.builtin.github.base import GitHubAction, RepoInputs, hidden
from flagstone.contracts.actions import ActionExample
from flagstone.sdk import ActionContext, Outputs, PlanContext


class CreateIssue(GitHubAction):
    """Open an issue in a repository on GitHub."""

    id = "github:issues:create"
    title = "Open an issue on GitHub"
    idempotency = "probe"
    examples = (
        ActionExample(
            title="Tell the owners",
            yaml="""\
- id: issue
  action: github:issues:create
  input:
    repoUrl: github.com?owner=acme&repo=shop
    title: Set up alerts
    labels: [operations]
""",
        ),
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        title: str = Field(min_length=1, max_length=256, description="Title, one line.")
        body: str = Field("", max_length=60_000, description="Text in Markdown.")
        assignees: list[str] = Field([], description="Users it is assigned to.")
        milestone: str | int | None = Field(None, description="Number of the milestone.")
        labels: list[str] = Field([], description="Labels, by name.")

    class Output(Outputs):
        """The issue."""

        issue_url: str = Field("", alias="issueUrl", description="Its page.")
        issue_number: int | None = Field(None, alias="issueNumber", description="Its number.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The issue."""
        target = self.existing(inputs, ctx)
        ctx.change("other", "create", f"issue in {target.subject}", inputs.title)
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Open it."""
        target = self.target(inputs)
        body: dict[str, Any] = {
            "title": inputs.title,
            "body": f"{inputs.body}\n\n{hidden(ctx.step_key)}".strip(),
            "assignees": inputs.assignees,
            "labels": inputs.labels,
        }
        if inputs.milestone is not None:
            body["milestone"] = inputs.milestone
        made = target.api.send("POST", f"{target.path}/issues", body)
        ctx.log(f"Opened issue #{made['number']}: {made['html_url']}")
        return self.Output(issue_url=made["html_url"], issue_number=made["number"])

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether one of the newest issues has the mark of this step, which is not shown."""
        target = self.target(inputs)
        found = target.api.get(f"{target.path}/issues", state="all", sort="created", direction="desc", per_page=100)
        for issue in found:
            if hidden(ctx.step_key) in str(issue.get("body")):
                return self.Output(issue_url=issue["html_url"], issue_number=issue["number"])
        return None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Close the issue as not planned."""
        number = outputs.get("issueNumber")
        target = self.target(inputs)
        if number and target.api.find(f"{target.path}/issues/{number}"):
            body = {"state": "closed", "state_reason": "not_planned"}
            target.api.send("PATCH", f"{target.path}/issues/{number}", body)


class LabelIssue(GitHubAction):
    """Add labels to an issue or pull request on GitHub."""

    id = "github:issues:label"
    title = "Label an issue on GitHub"
    idempotency = "natural"
    without_undo = "Which labels it had before is not known afterwards."
    examples = (
        ActionExample(
            title="Label a pull request that an earlier step opened",
            yaml="""\
- id: label
  action: github:issues:label
  input:
    repoUrl: github.com?owner=acme&repo=shop
    number: ${{ steps.propose.output.pullRequestNumber }}
    labels: [golden-path]
""",
        ),
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        number: int | str = Field(description="Of the issue or pull request.")
        labels: list[str] = Field(min_length=1, description="Labels, by name.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The labels."""
        target = self.existing(inputs, ctx)
        ctx.change("other", "change", f"{target.subject}#{inputs.number}", f"labels {', '.join(inputs.labels)}")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Add them; those it has already are fine."""
        target = self.target(inputs)
        target.api.send("POST", f"{target.path}/issues/{int(inputs.number)}/labels", {"labels": inputs.labels})
        ctx.log(f"Labelled {target.subject}#{inputs.number}.")
        return self.Output()
