"""``github:actions:dispatch`` and ``flagstone:github:workflow``: starting workflows of GitHub, and following them.

A workflow that declares the input ``flagstone_run`` gets the mark of the step in it; with ``run-name: … ${{
inputs.flagstone_run }}`` its run can be found again whatever was interrupted. Without it, the run's id comes from the
answer to the dispatch; a step that died right then asks a person rather than starting the workflow twice.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from flagstone.builtin.github.base import GitHubAction, RepoInputs, marker
from flagstone.builtin.github.hosts import GitHubHosts, Target
from flagstone.builtin.github.permissions import DISPATCH
from flagstone.contracts.actions import ActionExample
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound, Permanent
from flagstone.sdk import ActionContext, ActionTools, Outputs, PlanContext, Waiting
from flagstone.sdk.actions import BaseContext

CORRELATION = "flagstone_run"
_LOOK_BACK = 50
_RECENT = timedelta(minutes=15)
_APPEARS_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Started:
    """A run of a workflow; ``id`` None: it was asked for and is not to be seen yet."""

    id: int | None
    url: str = ""
    html_url: str = ""


class Workflows:
    """Starts workflows so that one step starts one run."""

    def __init__(self, tools: ActionTools, *, now: Now = utc_now) -> None:
        self._tools = tools
        self._now = now

    def about(self, target: Target, workflow: str, ref: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """(the workflow, the inputs that it declares at this ref). Raises NotFound."""
        found = target.api.find(f"{target.path}/actions/workflows/{workflow}")
        if found is None:
            raise NotFound(
                "github.no_workflow",
                f"There is no workflow {workflow!r} in {target.subject}.",
                hint="Give the name of its file, such as build.yaml, or its id.",
            )
        return found, self._declared(target, str(found["path"]), ref)

    def start(self, ctx: ActionContext, target: Target, workflow: str, ref: str, inputs: Mapping[str, Any]) -> Started:
        """Start it, unless this very step did so before it was interrupted."""
        _, declared = self.about(target, workflow, ref)
        mark = marker(ctx.step_key)
        if ctx.attempt > 1 and (found := self._started_before(target, workflow, ref, mark, declared)):
            return found
        given = {name: _text(value) for name, value in inputs.items()}
        if CORRELATION in declared:
            given[CORRELATION] = mark
        body: dict[str, Any] = {"ref": ref, "inputs": given, "return_run_details": True}
        path = f"{target.path}/actions/workflows/{workflow}/dispatches"
        try:
            told = target.api.send("POST", path, body)
        except Invalid as error:
            if "return_run_details" not in error.message:
                raise
            # Older servers do not know this member.
            del body["return_run_details"]
            told = target.api.send("POST", path, body)
        if told and told.get("workflow_run_id"):
            return Started(int(told["workflow_run_id"]), str(told.get("run_url", "")), str(told.get("html_url", "")))
        return Started(None)

    def find(self, target: Target, workflow: str, ref: str, mark: str) -> Started | None:
        """The run whose name holds the mark."""
        for run in self._newest(target, workflow, ref):
            if mark in f"{run.get('display_title', '')} {run.get('name', '')}":
                return _started(run)
        return None

    def find_since(self, target: Target, workflow: str, ref: str, since: datetime) -> Started | None:
        """The only run that began since then; None when there is none, or more than one."""
        found = [run for run in self._newest(target, workflow, ref) if _moment(run) >= since - timedelta(seconds=5)]
        return _started(found[0]) if len(found) == 1 else None

    def _started_before(
        self, target: Target, workflow: str, ref: str, mark: str, declared: Mapping[str, Any]
    ) -> Started | None:
        if found := self.find(target, workflow, ref, mark):
            return found
        recent = [run for run in self._newest(target, workflow, ref) if self._now() - _moment(run) < _RECENT]
        if recent and CORRELATION not in declared:
            raise Permanent(
                "github.run_uncertain",
                f"Whether this step started {workflow} of {target.subject} before it was interrupted cannot be known.",
                hint=f"Look at {recent[0]['html_url']}: if that is it, skip the step, else retry it later. "
                f"With an input {CORRELATION} in the workflow and in its run-name this does not happen.",
            )
        return None

    @staticmethod
    def _newest(target: Target, workflow: str, ref: str) -> list[dict[str, Any]]:
        path = f"{target.path}/actions/workflows/{workflow}/runs"
        branch = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        found = target.api.get(path, event="workflow_dispatch", branch=branch, per_page=_LOOK_BACK)
        runs: list[dict[str, Any]] = found["workflow_runs"]
        return runs

    def _declared(self, target: Target, path: str, ref: str) -> Mapping[str, Any]:
        found = target.api.find(f"{target.path}/contents/{path}", ref=ref)
        if not isinstance(found, dict) or "content" not in found:
            return {}
        try:
            documents = self._tools.read_yaml(base64.b64decode(found["content"]).decode("utf-8", "replace"), name=path)
        except FlagstoneError:
            return {}
        trigger = documents[0].get("on") if documents and isinstance(documents[0], dict) else None
        dispatch = trigger.get("workflow_dispatch") if isinstance(trigger, dict) else None
        inputs = dispatch.get("inputs") if isinstance(dispatch, dict) else None
        return inputs if isinstance(inputs, dict) else {}


class RunOutputs(Outputs):
    """The run of the workflow."""

    run_id: int | None = Field(None, alias="workflowRunId", description="Id of the run of the workflow, if known.")
    run_url: str = Field("", alias="workflowRunUrl", description="The run in the API.")
    html_url: str = Field("", alias="workflowRunHtmlUrl", description="Page of the run, with its log.")


class _Starting(GitHubAction):
    permission = DISPATCH
    # Not "none": run() itself looks for what it did before.
    idempotency = "natural"

    def __init__(self, hosts: GitHubHosts, workflows: Workflows) -> None:
        super().__init__(hosts)
        self._workflows = workflows

    def _planned(self, ctx: PlanContext, inputs: Any, ref: str) -> None:
        target = self.existing(inputs, ctx)
        facts = {"Ref": ref, **{name: _text(value) for name, value in inputs.workflow_inputs.items()}}
        if target.info() is not None:
            found, declared = self._workflows.about(target, str(inputs.workflow_id), ref)
            unknown = sorted(set(inputs.workflow_inputs) - set(declared)) if declared else []
            if unknown:
                raise Invalid(
                    "github.unknown_workflow_input",
                    f"The workflow {found['path']} does not take {', '.join(unknown)}.",
                    hint=f"It takes: {', '.join(declared)}.",
                )
        ctx.change("other", "run", f"{target.subject} {inputs.workflow_id}", "the workflow is started", **facts)


class DispatchWorkflow(_Starting):
    """Start a workflow of GitHub Actions, and go on at once."""

    id = "github:actions:dispatch"
    title = "Start a GitHub workflow"
    without_undo = "A workflow that has begun may have done anything; flagstone:github:workflow cancels one it follows."
    examples = (
        ActionExample(
            title="Start the first build",
            yaml="""\
- id: build
  action: github:actions:dispatch
  input:
    repoUrl: github.com?owner=acme&repo=shop
    workflowId: build.yaml
    branchOrTagName: main
    workflowInputs:
      level: full
""",
        ),
    )

    class Input(RepoInputs):
        """As Backstage's action."""

        workflow_id: str | int = Field(alias="workflowId", description="Name of its file, or its id.")
        ref: str = Field(alias="branchOrTagName", min_length=1, description="Where the workflow is taken from.")
        workflow_inputs: dict[str, Any] = Field(
            {}, alias="workflowInputs", description="Inputs of the workflow, by name."
        )
        details: bool = Field(False, alias="returnWorkflowRunDetails", description="The run is always told, if known.")

    class Output(RunOutputs):
        """The run, as far as GitHub tells it."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The workflow and its inputs, which are compared with what it takes."""
        self._planned(ctx, inputs, inputs.ref)
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Start it."""
        target = self.target(inputs)
        made = self._workflows.start(ctx, target, str(inputs.workflow_id), inputs.ref, inputs.workflow_inputs)
        ctx.log(f"Started {inputs.workflow_id} of {target.subject} {made.html_url}".rstrip())
        return self.Output(run_id=made.id, run_url=made.url, html_url=made.html_url)


class FollowWorkflow(_Starting):
    """Start a workflow of GitHub Actions and wait for its end; the step fails when the workflow does.

    Cancelling the run cancels the workflow. Waiting costs nothing: the step looks from time to time.
    """

    id = "flagstone:github:workflow"
    title = "Run a GitHub workflow"
    examples = (
        ActionExample(
            title="Build, and go on when it is built",
            yaml="""\
- id: build
  action: flagstone:github:workflow
  input:
    repoUrl: github.com?owner=acme&repo=shop
    workflowId: build.yaml
    timeoutMinutes: 30
""",
        ),
    )

    class Input(RepoInputs):
        """Which one, and for how long."""

        workflow_id: str | int = Field(alias="workflowId", description="Name of its file, or its id.")
        ref: str = Field("", alias="branchOrTagName", description="Default: the default branch.")
        workflow_inputs: dict[str, Any] = Field(
            {}, alias="workflowInputs", description="Inputs of the workflow, by name."
        )
        timeout_minutes: float = Field(
            360, alias="timeoutMinutes", gt=0, description="The workflow is cancelled after that."
        )

    class Output(RunOutputs):
        """The run and how it ended."""

        conclusion: str = Field("", description="success, when the step succeeds.")

    def __init__(self, hosts: GitHubHosts, workflows: Workflows, *, poll_seconds: float, now: Now = utc_now) -> None:
        super().__init__(hosts, workflows)
        self._poll = timedelta(seconds=poll_seconds)
        self._now = now

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The workflow and its inputs, which are compared with what it takes."""
        self._planned(ctx, inputs, self._ref(self.target(inputs), inputs))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Start it, then look from time to time."""
        target = self.target(inputs)
        workflow, ref = str(inputs.workflow_id), self._ref(target, inputs)
        memory = dict(ctx.memory)
        if "since" not in memory:
            since = self._now()
            made = self._workflows.start(ctx, target, workflow, ref, inputs.workflow_inputs)
            memory = {"since": since.isoformat(), "id": made.id}
            where = made.html_url or f"{target.web_url}/actions"
            raise self._waiting(f"{workflow} of {target.subject} was started: {where}", memory)
        since = datetime.fromisoformat(str(memory["since"]))
        if memory["id"] is None:
            found = self._workflows.find(target, workflow, ref, marker(ctx.step_key))
            found = found or self._workflows.find_since(target, workflow, ref, since)
            if found is None:
                return self._not_there(target, workflow, since, memory)
            memory["id"] = found.id
        return self._look(ctx, inputs, target, memory)

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Cancel the workflow, if it has not ended; what it did by then stays."""
        target = self.target(inputs)
        number = outputs.get("workflowRunId") or getattr(ctx, "memory", {}).get("id")
        if not number:
            found = self._workflows.find(
                target, str(inputs.workflow_id), self._ref(target, inputs), marker(ctx.step_key)
            )
            number = found.id if found else None
        if number:
            self._cancel(target, int(number))

    def _look(self, ctx: ActionContext, inputs: Any, target: Target, memory: dict[str, Any]) -> Outputs:
        number = int(memory["id"])
        found = target.api.get(f"{target.path}/actions/runs/{number}")
        url = str(found["html_url"])
        if found["status"] != "completed":
            if ctx.cancelled() and not memory.get("cancelled"):
                self._cancel(target, number)
                memory["cancelled"] = True
            since = datetime.fromisoformat(str(memory["since"]))
            if self._now() - since > timedelta(minutes=inputs.timeout_minutes):
                self._cancel(target, number)
                raise Permanent(
                    "github.workflow_too_long",
                    f"The workflow did not end within {inputs.timeout_minutes:g} minutes and was cancelled: {url}",
                )
            raise self._waiting(f"The workflow is {found['status'].replace('_', ' ')}: {url}", memory)
        self._tell_jobs(ctx, target, number)
        conclusion = str(found.get("conclusion"))
        if conclusion != "success":
            raise Permanent(
                "github.workflow_failed",
                f"The workflow {found.get('name') or inputs.workflow_id} ended with {conclusion}: {url}",
                hint="Its log is at that address.",
            )
        return self.Output(run_id=number, run_url=str(found["url"]), html_url=url, conclusion=conclusion)

    def _not_there(self, target: Target, workflow: str, since: datetime, memory: dict[str, Any]) -> Outputs:
        if self._now() - since > _APPEARS_WITHIN:
            raise Permanent(
                "github.run_not_found",
                f"{target.api.host.host} took the request to start {workflow}, but no run of it can be found.",
                hint=f"Give the workflow an input {CORRELATION} and use it in its run-name.",
            )
        raise self._waiting(f"{workflow} was asked for and is not to be seen yet.", memory)

    def _waiting(self, message: str, memory: Mapping[str, Any]) -> Waiting:
        return Waiting("poll", message, until=self._now() + self._poll, data=memory)

    @staticmethod
    def _cancel(target: Target, number: int) -> None:
        try:
            target.api.send("POST", f"{target.path}/actions/runs/{number}/cancel")
        except FlagstoneError as error:
            # 409: it has ended by itself; 404: it was deleted.
            if error.code not in ("github.conflict", "github.not_found"):
                raise

    @staticmethod
    def _tell_jobs(ctx: BaseContext, target: Target, number: int) -> None:
        found = target.api.get(f"{target.path}/actions/runs/{number}/jobs", per_page=100)
        for job in found["jobs"]:
            level = "info" if job.get("conclusion") in ("success", "skipped") else "error"
            ctx.log(f"{job['name']}: {job.get('conclusion')}  {job.get('html_url', '')}", level=level)

    @staticmethod
    def _ref(target: Target, inputs: Any) -> str:
        if inputs.ref:
            return str(inputs.ref)
        info = target.info()
        return str(info["default_branch"]) if info else "main"


def _started(run: Mapping[str, Any]) -> Started:
    return Started(int(run["id"]), str(run.get("url", "")), str(run.get("html_url", "")))


def _moment(run: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(run["created_at"]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
