"""``flagstone:github:pull-request``: waiting until people merge a pull request, or close it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from flagstone.builtin.github.base import GitHubAction, RepoInputs
from flagstone.builtin.github.hosts import GitHubHosts
from flagstone.contracts.actions import ActionExample
from flagstone.kernel.clock import Now, utc_now
from flagstone.sdk import ActionContext, Outputs, PlanContext, Waiting

_LONGEST = timedelta(hours=1)
_MOST_DOUBLED = 12


class FollowPullRequest(GitHubAction):
    """Wait until a pull request on GitHub is merged or closed. Waiting costs nothing: the step looks from time to time.

    It looks less and less often, at last every hour.
    """

    id = "flagstone:github:pull-request"
    title = "Wait for a pull request on GitHub"
    idempotency = "natural"
    without_undo = "It changes nothing."
    examples = (
        ActionExample(
            title="Go on when the change is merged",
            yaml="""\
- id: merged
  action: flagstone:github:pull-request
  input:
    repoUrl: github.com?owner=acme&repo=shop
    pullRequestNumber: ${{ steps.propose.output.pullRequestNumber }}
""",
        ),
    )

    class Input(RepoInputs):
        """Which one, and for how long."""

        number: int | None = Field(
            None, alias="pullRequestNumber", description="Its number; without one there is nothing to wait for."
        )
        timeout_days: float = Field(30, alias="timeoutDays", gt=0, le=365, description="Then the step goes on.")

    class Output(Outputs):
        """How it ended."""

        merged: bool = Field(False, description="Whether it was merged.")
        state: str = Field("none", description="merged, closed, open (nobody decided in time), gone or none.")

    def __init__(self, hosts: GitHubHosts, *, poll_seconds: float, now: Now = utc_now) -> None:
        super().__init__(hosts)
        self._poll = timedelta(seconds=poll_seconds)
        self._now = now

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """That it waits."""
        ctx.note(f"Waits until the pull request of {self.target(inputs).subject} is merged or closed.")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Look, and wait if it is open."""
        if inputs.number is None:
            return self.Output()
        target = self.target(inputs)
        found = target.api.find(f"{target.path}/pulls/{inputs.number}")
        if found is None:
            ctx.log(f"{target.subject} has no pull request #{inputs.number} any more.", level="warn")
            return self.Output(state="gone")
        if found["state"] == "closed":
            merged = bool(found.get("merged") or found.get("merged_at"))
            ctx.log(f"Pull request #{inputs.number} was {'merged' if merged else 'closed without merging'}.")
            return self.Output(merged=merged, state="merged" if merged else "closed")
        since = datetime.fromisoformat(str(ctx.memory["since"])) if "since" in ctx.memory else self._now()
        if self._now() - since > timedelta(days=inputs.timeout_days):
            ctx.log(
                f"Nobody decided about pull request #{inputs.number} in {inputs.timeout_days:g} days.", level="warn"
            )
            return self.Output(state="open")
        looks = int(ctx.memory.get("looks", 0))
        pause = min(self._poll * 2 ** min(looks, _MOST_DOUBLED), _LONGEST)
        memory = {"since": since.isoformat(), "looks": looks + 1}
        message = f"Pull request #{inputs.number} is open: {found['html_url']}"
        raise Waiting("poll", message, until=self._now() + pause, data=memory)
