"""Steps that wait: for a moment (``debug:wait``), or for what people say (``flagstone:ask``)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field, field_validator, model_validator

from flagstone.builtin.actions.describe import READS_ONLY, example
from flagstone.kernel.actor import ROLES
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Permanent
from flagstone.kernel.refs import parse_ref
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext, Waiting

_LONGEST = 86_400.0
_IN_PLACE = 3.0
"""Seconds: a shorter wait is not worth putting the run away for."""
_LOOK = 0.05


class DebugWait(Action):
    """Wait; for trying out and for things that need a moment."""

    id = "debug:wait"
    title = "Wait"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Give another system half a minute",
            """
            - id: wait
              action: debug:wait
              input: {seconds: 30}
            """,
        ),
    )

    class Input(Inputs):
        """How long, all parts together at most a day."""

        minutes: float = Field(0, ge=0, description="Minutes; the parts are added up.")
        seconds: float = Field(0, ge=0, description="Seconds; the parts are added up.")
        milliseconds: float = Field(0, ge=0, description="Milliseconds; the parts are added up.")

        @model_validator(mode="after")
        def _not_too_long(self) -> DebugWait.Input:
            if self.total > _LONGEST:
                raise ValueError(f"the wait is longer than {_LONGEST / 3600:g} hours")
            return self

        @property
        def total(self) -> float:
            """In seconds; 3 when nothing was said."""
            asked = self.minutes * 60 + self.seconds + self.milliseconds / 1000
            return asked if self.model_fields_set else 3.0

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Changes nothing."""
        ctx.change("other", "none", f"{inputs.total:g} seconds", "are waited")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Wait, unless the run is cancelled; a longer wait occupies nothing but a row."""
        if "until" in ctx.memory:
            return self.Output()
        if inputs.total > _IN_PLACE:
            moment = utc_now() + timedelta(seconds=inputs.total)
            raise Waiting(
                "time", f"Waiting for {inputs.total:g} seconds.", until=moment, data={"until": moment.isoformat()}
            )
        ctx.log(f"Waiting for {inputs.total:g} seconds.")
        until = time.monotonic() + inputs.total
        while (left := until - time.monotonic()) > 0 and not ctx.cancelled():
            time.sleep(min(left, _LOOK))
        return self.Output()


class Sleep(DebugWait):
    """Wait for some seconds."""

    id = "roadiehq:utils:sleep"
    title = "Wait for seconds"
    examples = (
        example(
            "Give another system ten seconds",
            """
            - id: wait
              action: roadiehq:utils:sleep
              input: {amount: 10}
            """,
        ),
    )

    class Input(Inputs):
        """How long."""

        amount: float = Field(ge=0, le=_LONGEST, description="Seconds, at most a day.")

        @property
        def total(self) -> float:
            """In seconds."""
            return self.amount


class Ask(Action):
    """Stop and ask people for input; the steps after it use what they answered. Waiting costs nothing, for months."""

    id = "flagstone:ask"
    title = "Ask for input"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Ask the owners for a size, at most for two days",
            """
            - id: size
              action: flagstone:ask
              input:
                message: "How large should the database be?"
                of: [owner]
                schema:
                  type: object
                  required: [gigabytes]
                  properties:
                    gigabytes: {type: integer, title: Gigabytes, minimum: 1, default: 10}
                within: {hours: 48}
                default: {gigabytes: 10}
            - id: tell
              action: debug:log
              input:
                message: "${{ steps.size.output.values.gigabytes }} GB"
            """,
        ),
    )

    class Within(Inputs):
        """A span of time; the parts are added up."""

        days: float = Field(0, ge=0, description="Days.")
        hours: float = Field(0, ge=0, description="Hours.")
        minutes: float = Field(0, ge=0, description="Minutes.")

        @property
        def span(self) -> timedelta:
            """All of it."""
            return timedelta(days=self.days, hours=self.hours, minutes=self.minutes)

    class Input(Inputs):
        """Whom to ask for what."""

        message: str = Field(min_length=1, description="The question, for people.")
        form: dict[str, Any] = Field(
            default_factory=lambda: {"type": "object", "properties": {"answer": {"type": "string", "title": "Answer"}}},
            alias="schema",
            description="JSON Schema of the answer, written as a page of a template's parameters; a text by default.",
        )
        of: list[str] = Field(
            default_factory=list,
            description="Who may answer: groups, users, role:maintainer, owner; empty means who may act on the run.",
        )
        within: Ask.Within | None = Field(None, description="How long to wait; without it as long as it takes.")
        default: dict[str, Any] | None = Field(
            None, description="What is taken when nobody answered in time; without it the step then fails."
        )

        @field_validator("form")
        @classmethod
        def _an_object(cls, value: dict[str, Any]) -> dict[str, Any]:
            if value.get("type", "object") != "object" or not isinstance(value.get("properties", {}), dict):
                raise ValueError("must describe an object with properties")
            return value

        @field_validator("of")
        @classmethod
        def _who(cls, value: list[str]) -> list[str]:
            return [_ref(text) for text in value]

    class Output(Outputs):
        """What was answered."""

        values: dict[str, Any] = Field(default_factory=dict, description="The answer.")
        answered_by: str = Field("", alias="answeredBy", description="Name of who answered; empty when nobody did.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Nothing changes, and nobody knows the answer yet."""
        ctx.change(
            "other", "none", inputs.message[:200], "is asked of " + (", ".join(inputs.of) or "who may act on it")
        )
        ctx.note("What depends on an answer of people is not known before the run.")
        return self.Output(values=dict(inputs.default or _defaults(inputs.form)))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Ask, and come back with the answer. Raises Permanent when nobody answered in time."""
        if ctx.answer is not None:
            given = ctx.answer.get("values")
            values = dict(given) if isinstance(given, Mapping) else {}
            who = str(ctx.answer.get("by_name") or ctx.answer.get("by") or "")
            ctx.log(f"{who} answered.")
            return self.Output(values=values, answered_by=who)
        if "asked" in ctx.memory:
            if inputs.default is None:
                raise Permanent("actions.no_answer", "Nobody answered in time.", hint="Retry the step to ask again.")
            ctx.log("Nobody answered in time; the default is taken.")
            return self.Output(values=dict(inputs.default))
        until = None if inputs.within is None else utc_now() + inputs.within.span
        raise Waiting(
            "input", inputs.message, until=until, schema=inputs.form, asked=tuple(inputs.of), data={"asked": True}
        )


def _ref(text: str) -> str:
    kind, _, name = text.partition(":")
    if text == "owner":
        return text
    if kind == "role":
        if name not in ROLES:
            raise ValueError(f"{name!r} is no role: {', '.join(ROLES)}")
        return text
    return str(parse_ref(text, default_kind="group"))


def _defaults(form: Mapping[str, Any]) -> dict[str, Any]:
    properties = form.get("properties", {})
    return {name: item["default"] for name, item in properties.items() if isinstance(item, dict) and "default" in item}
