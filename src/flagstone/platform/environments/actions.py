"""Environments as steps of templates and runs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Conflict
from flagstone.platform.environments.permissions import WRITE
from flagstone.platform.environments.service import EnvironmentService
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext


class CreateEnvironment(Action):
    """Add an environment to deploy to. One of this name, type and runtime that is there already is left as it is."""

    id = "flagstone:environment:create"
    title = "Create an environment"
    permission = WRITE
    idempotency = "natural"
    without_undo = "An environment may hold deployments of others by then."
    examples = (
        ActionExample(
            title="A place for one team to try things, and the service in it",
            yaml="""\
- id: environment
  name: Create the environment
  action: flagstone:environment:create
  input:
    name: try-${{ parameters.team }}
    type: development
- id: deploy
  name: Deploy
  action: flagstone:deploy
  input:
    repository: acme/shop
    environment: ${{ steps.environment.output.name }}
""",
        ),
    )

    class Input(Inputs):
        """What is added."""

        name: str = Field(description="Lower case letters, digits and hyphens, at most 63.")
        type: str = Field(description="Name of an environment type: which rules hold, and when it is promoted to.")
        runtime: str = Field("local", description="What executes workloads there.")
        title: str = Field("", max_length=200, description="Name for people; default: made from the name.")
        description: str = Field("", max_length=2000, description="What it is for.")

    class Output(Outputs):
        """The environment."""

        name: str = Field(description="Its name.")

    def __init__(self, service: EnvironmentService) -> None:
        self._service = service

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What would be added. Raises Invalid, Conflict."""
        if self._service.fits(inputs.name, inputs.type, inputs.runtime):
            ctx.change("environment", "none", inputs.name, "is there already")
            return self.Output(name=inputs.name)
        ctx.change("environment", "create", inputs.name, inputs.description, Type=inputs.type, Runtime=inputs.runtime)
        ctx.check(WRITE)
        return self.Output(name=inputs.name)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Add it."""
        if self._service.fits(inputs.name, inputs.type, inputs.runtime):
            ctx.log(f"The environment {inputs.name} is there already.")
            return self.Output(name=inputs.name)
        try:
            self._service.create(
                ctx.actor,
                name=inputs.name,
                environment_type=inputs.type,
                runtime=inputs.runtime,
                title=inputs.title,
                description=inputs.description,
            )
        except Conflict:
            # Somebody was faster between the look and the change.
            if not self._service.fits(inputs.name, inputs.type, inputs.runtime):
                raise
            return self.Output(name=inputs.name)
        ctx.log(f"Created the environment {inputs.name} of type {inputs.type}.")
        return self.Output(name=inputs.name)
