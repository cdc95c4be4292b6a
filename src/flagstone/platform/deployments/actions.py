"""Deployments as steps of templates and runs."""

from __future__ import annotations

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.contracts.deployments import DeploymentView
from flagstone.kernel.errors import NotFound
from flagstone.platform.deployments.permissions import WRITE
from flagstone.platform.deployments.service import DeploymentPlanner, DeploymentService, Execution
from flagstone.platform.deployments.service.planning import Intention
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext, RolloutFailed


class DeploymentOutput(Outputs):
    """What is known of a deployment after it was changed."""

    deployment: str | None = Field(None, description="Id of the deployment.")
    url: str | None = Field(None, description="Where the workload is reached, if it is.")
    release: str | None = Field(None, description="The release that runs, such as r3.")
    commit: str | None = Field(None, description="The commit that runs.")


class DeploymentInput(Inputs):
    """Names a deployment."""

    deployment: str = Field(description="Id of the deployment.")


class _DeploymentAction(Action):
    permission = WRITE
    idempotency = "key"

    class Output(DeploymentOutput):
        """What is known of the deployment then."""

    only_on_server = True

    def __init__(self, service: DeploymentService, planner: DeploymentPlanner) -> None:
        self._service = service
        self._planner = planner


class DeployAction(_DeploymentAction):
    """Bring a commit of a repository up in an environment.

    The new release is started beside the old one, which goes on serving until the new one is healthy; if that does not
    happen it stays, and the step fails with the last log lines.
    """

    id = "flagstone:deploy"
    title = "Deploy"

    class Input(Inputs):
        """What to deploy, and where to."""

        repository: str = Field(description="Repository of the built-in git hosting, project/name.")
        commit: str | None = Field(None, description="Commit id; without one the head of the default branch.")
        environment: str = Field("development", description="Name of the environment.")
        entity_ref: str | None = Field(
            None, alias="entityRef", description="The component; without one it is read from catalog-info.yaml."
        )

    def plan(self, ctx: PlanContext, inputs: Input) -> DeploymentOutput:
        """Says what would be brought up, from which release to which, and what happens if it fails.

        An environment that an earlier step makes is not known yet.
        """
        try:
            preview = self._planner.deploy(
                ctx.workspace,
                repository=inputs.repository,
                commit=inputs.commit,
                environment=inputs.environment,
                entity_ref=inputs.entity_ref,
                owner=ctx.owner,
            )
        except NotFound:
            if not ctx.expected("environment", inputs.environment):
                raise
            ctx.note(f"What is deployed is known when there is an environment {inputs.environment}.")
            return DeploymentOutput()
        if preview is None:
            ctx.note(f"What is deployed is known when {inputs.repository} has its first commit.")
            return DeploymentOutput()
        if preview.is_new_release:
            detail = f"an immutable version of {preview.workload}"
            ctx.change("release", "create", f"{preview.workload} {preview.release}", detail)
        ctx.change(
            "deployment",
            "change" if preview.current else "create",
            f"{preview.workload} in {preview.environment}",
            f"{preview.release} is brought up",
            **preview.facts,
        )
        for missing in preview.missing:
            ctx.note(f"The step fails as long as {missing}")
        ctx.check(WRITE, owner=preview.owner)
        return DeploymentOutput(deployment=preview.deployment, release=preview.release, commit=preview.commit or None)

    def run(self, ctx: ActionContext, inputs: Input) -> DeploymentOutput:
        """Brings it up."""
        try:
            view = self._service.deploy(
                ctx.actor,
                repository=inputs.repository,
                commit=inputs.commit,
                environment=inputs.environment,
                entity_ref=inputs.entity_ref,
                owner=ctx.owner,
                execution=_execution(ctx),
            )
        except RolloutFailed as error:
            _show(ctx, error)
            raise
        return _told(ctx, view)


class PromoteAction(_DeploymentAction):
    """Bring the very release that runs in one environment up in another one that comes later.

    Nothing is built or chosen again: what was tried there is what runs here.
    """

    id = "flagstone:promote"
    title = "Promote a release"
    examples = (
        ActionExample(
            title="Deploy, wait for somebody's word, promote",
            yaml="""\
- id: deploy
  action: flagstone:deploy
  input: {repository: acme/shop, environment: staging}
- id: agreed
  action: flagstone:approval
  input: {approvers: ["group:default/operations"]}
- id: promote
  action: flagstone:promote
  input:
    deployment: ${{ steps.deploy.output.deployment }}
    environment: production
""",
        ),
    )

    class Input(DeploymentInput):
        """From where, and where to."""

        environment: str = Field(description="Where it goes: an environment of a type that comes later.")

    def plan(self, ctx: PlanContext, inputs: Input) -> DeploymentOutput:
        """Which release would be brought up where. A deployment that an earlier step makes is not known yet."""
        try:
            moving = self._planner.promotion(inputs.deployment, inputs.environment)
        except NotFound as error:
            if error.code != "deployments.not_found" and not ctx.expected("environment", inputs.environment):
                raise
            ctx.note(f"What is promoted to {inputs.environment} is known when {inputs.deployment} is deployed.")
            return DeploymentOutput()
        source, release = moving.source, moving.release
        ctx.change(
            "deployment",
            "create",
            f"{source.workload} in {inputs.environment}",
            f"{release.version} is brought up, as in {source.environment}",
            Release=release.version,
            Commit=release.commit[:12],
            From=source.environment,
        )
        ctx.note(f"What runs in {source.environment} when this step is reached is what moves on.")
        for missing in moving.missing:
            ctx.note(f"The step fails as long as {missing}")
        ctx.check(WRITE, owner=source.owner)
        return DeploymentOutput(release=release.version, commit=release.commit)

    def run(self, ctx: ActionContext, inputs: Input) -> DeploymentOutput:
        """Brings it up."""
        moving = self._planner.promotion(inputs.deployment, inputs.environment)
        ctx.log(f"{moving.release.version} of {moving.source.workload} moves on from {moving.source.environment}.")
        try:
            view = self._service.deploy(
                ctx.actor,
                repository=moving.source.repository,
                commit=moving.release.commit,
                environment=inputs.environment,
                entity_ref=moving.source.entity_ref,
                owner=ctx.owner,
                execution=_execution(ctx),
            )
        except RolloutFailed as error:
            _show(ctx, error)
            raise
        return _told(ctx, view)


class StartAction(_DeploymentAction):
    """Start a stopped deployment with the release it had."""

    id = "flagstone:start"
    title = "Start a deployment"

    class Input(DeploymentInput):
        """Which one."""

    def plan(self, ctx: PlanContext, inputs: DeploymentInput) -> DeploymentOutput:
        """Says what would be started."""
        return _planned(ctx, self._planner.start(inputs.deployment))

    def run(self, ctx: ActionContext, inputs: DeploymentInput) -> DeploymentOutput:
        """Starts it."""
        try:
            return _told(ctx, self._service.start(ctx.actor, inputs.deployment, execution=_execution(ctx)))
        except RolloutFailed as error:
            _show(ctx, error)
            raise


class StopAction(_DeploymentAction):
    """End a workload and keep what is needed to start it again."""

    id = "flagstone:stop"
    title = "Stop a deployment"

    class Input(DeploymentInput):
        """Which one."""

    def plan(self, ctx: PlanContext, inputs: DeploymentInput) -> DeploymentOutput:
        """Says what would be stopped."""
        return _planned(ctx, self._planner.stop(inputs.deployment))

    def run(self, ctx: ActionContext, inputs: DeploymentInput) -> DeploymentOutput:
        """Stops it."""
        return _told(ctx, self._service.stop(ctx.actor, inputs.deployment, execution=_execution(ctx)))


class RollbackAction(_DeploymentAction):
    """Go back to an earlier release, without a failed request in between."""

    id = "flagstone:rollback"
    title = "Roll back a deployment"

    class Input(DeploymentInput):
        """Where to go back to."""

        release: str | None = Field(None, description="Release such as r3; without one the release before this one.")

    def plan(self, ctx: PlanContext, inputs: Input) -> DeploymentOutput:
        """Says from which release to which it would go."""
        return _planned(ctx, self._planner.rollback(inputs.deployment, inputs.release))

    def run(self, ctx: ActionContext, inputs: Input) -> DeploymentOutput:
        """Goes back."""
        try:
            view = self._service.rollback(ctx.actor, inputs.deployment, to=inputs.release, execution=_execution(ctx))
        except RolloutFailed as error:
            _show(ctx, error)
            raise
        return _told(ctx, view)


class UndeployAction(_DeploymentAction):
    """Remove a deployment with everything it has, and check that it is gone."""

    id = "flagstone:undeploy"
    title = "Remove a deployment"

    class Input(DeploymentInput):
        """Which one."""

    class Output(Outputs):
        """What was removed, in words."""

        removed: list[str] = Field(default_factory=list, description="What was removed.")

    def plan(self, ctx: PlanContext, inputs: DeploymentInput) -> Output:
        """Says what would be removed, thing by thing."""
        intention = self._planner.remove(inputs.deployment)
        for thing in intention.removes:
            ctx.change("workload", "delete", thing)
        ctx.change("deployment", "delete", intention.subject, intention.detail, **intention.facts)
        ctx.check(WRITE, owner=intention.deployment.owner)
        return self.Output(removed=list(intention.removes))

    def run(self, ctx: ActionContext, inputs: DeploymentInput) -> Output:
        """Removes it."""
        removed = self._service.remove(ctx.actor, inputs.deployment, execution=_execution(ctx))
        return self.Output(removed=list(removed))


def actions(service: DeploymentService, planner: DeploymentPlanner) -> list[Action]:
    """All actions of this slice."""
    kinds = (DeployAction, PromoteAction, StartAction, StopAction, RollbackAction, UndeployAction)
    return [kind(service, planner) for kind in kinds]


def _execution(ctx: ActionContext) -> Execution:
    return Execution(ctx.step_key, ctx.run_id, ctx.log, ctx.cancelled)


def _planned(ctx: PlanContext, intention: Intention) -> DeploymentOutput:
    ctx.change("deployment", "change", intention.subject, intention.detail, **intention.facts)
    ctx.check(WRITE, owner=intention.deployment.owner)
    return DeploymentOutput(deployment=intention.deployment.id, url=intention.deployment.url)


def _told(ctx: ActionContext, view: DeploymentView) -> DeploymentOutput:
    ctx.link(view.entity_ref)
    release = view.release
    address = f" at {view.url}" if view.url else ""
    ctx.log(f"{view.workload} {release.version if release else ''} in {view.environment}: {view.state}{address}")
    return DeploymentOutput(
        deployment=view.id,
        url=view.url,
        release=release.version if release else None,
        commit=release.commit if release else None,
    )


def _show(ctx: ActionContext, error: RolloutFailed) -> None:
    if error.last_log:
        ctx.log("The last lines of its log:", level="error")
        for line in error.last_log:
            ctx.log(f"  {line}", level="error")
