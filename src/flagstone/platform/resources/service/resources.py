"""The use cases: seeing resources, asking for them, changing them and taking them away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from flagstone.contracts.resources import ResourceDefinitionView, ResourceQuery, ResourceTypeView, ResourceView
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound
from flagstone.kernel.paging import Page
from flagstone.platform.environments import EnvironmentService
from flagstone.platform.resources.model import (
    Place,
    Resource,
    Wanted,
    name_problem,
    param_problems,
)
from flagstone.platform.resources.permissions import READ, REMOVE, REQUEST
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.service.definitions import Definitions
from flagstone.platform.resources.service.driving import Driving
from flagstone.platform.resources.service.recorder import Recorder
from flagstone.platform.resources.service.turns import Execution, Turns
from flagstone.sdk import ResourceDefinition

Users = Callable[[Resource], Sequence[str]]
"""What uses a resource at the moment, in words."""
ResourceTypeViews = list[ResourceTypeView]
ResourceDefinitionViews = list[ResourceDefinitionView]


@dataclass(frozen=True, slots=True)
class Preview:
    """What asking for a resource would do."""

    op: Literal["create", "change", "none"]
    resource: Resource
    """As it would be wanted; of ``none`` as it is."""
    secret_names: tuple[str, ...]
    facts: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cost: Decimal | None = None
    """What it adds to the costs of a month; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the service works with; put together by the plugin."""

    registry: ResourceRegistry
    definitions: Definitions
    driving: Driving
    recorder: Recorder
    turns: Turns
    environments: EnvironmentService
    access: AccessService


class ResourceService:
    """Everything that changes a resource decides for its ``actor`` with the owner.

    Changes are made by steps of runs: what was done for a step (``execution.step_key``) is not done again.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._store = tools.recorder.store
        self._users: Users = lambda _resource: ()

    def used_by(self, users: Users) -> None:
        """Let whoever uses resources say so: what is in use is not removed."""
        self._users = users

    def list(self, query: ResourceQuery, actor: Principal) -> Page[ResourceView]:
        """A page of resources by component, environment, type, name."""
        self._tools.access.check(actor, READ)
        page = self._store.list(query)
        return Page(tuple(self._view(one) for one in page.items), page.next_cursor)

    def get(self, uid: str, actor: Principal) -> ResourceView:
        """One resource, also a removed one. Raises NotFound."""
        self._tools.access.check(actor, READ, resource=f"resource:{uid}")
        return self._view(self.need(uid))

    def types(self, actor: Principal) -> ResourceTypeViews:
        """What may be asked for, by name."""
        self._tools.access.check(actor, READ)
        return [
            ResourceTypeView(
                name=one.name,
                title=one.title,
                description=one.description,
                params_schema=dict(one.params_schema),
                outputs_schema=dict(one.outputs_schema),
                secret_outputs=one.secret_outputs,
                stateful=one.stateful,
                definitions=self._tools.definitions.names(one.name),
                source=self._tools.registry.source_of(one.name),
            )
            for one in self._tools.registry.types()
        ]

    def definitions(self, actor: Principal) -> ResourceDefinitionViews:
        """Who provides what where: by type, the most specific first."""
        self._tools.access.check(actor, READ)
        return self._tools.definitions.views(self._store.counts())

    def need(self, uid: str) -> Resource:
        """One resource, for those who decide themselves. Raises NotFound."""
        found = self._store.get(uid)
        if found is None:
            raise NotFound(
                "resources.not_found",
                f"There is no resource {uid!r:.100}.",
                hint="`flagstone resources list` lists all.",
            )
        return found

    def preview(self, wanted: Wanted, actor: Principal) -> Preview:
        """What asking would do, without doing it. Raises Invalid, NotFound (type, environment), Denied."""
        wanted = self._checked(wanted)
        known = self._store.get(wanted.uid)
        self._allow(actor, wanted, known)
        type_ = self._tools.registry.type(wanted.type)
        if known is not None and self._fits(known, wanted, actor):
            return Preview("none", known, known.secret_names)
        draft = self._draft(wanted, known, actor, Execution(""))
        plan = self._tools.driving.plan(draft)
        there = known is not None and known.made and known.state != "removed"
        facts = {"Definition": draft.definition, "Driver": draft.driver, **plan.facts}
        if there and known is not None:
            facts |= _differences(known, draft)
        cost = draft.monthly_cost
        if there and known is not None and cost is not None and known.currency == draft.currency:
            cost -= known.monthly_cost or Decimal(0)
        return Preview("change" if there else "create", draft, type_.secret_outputs, facts, tuple(plan.notes), cost)

    def request(self, actor: Principal, wanted: Wanted, execution: Execution) -> Resource:
        """Make it, or make it fit; returns it when it is ready.

        Raises Invalid, NotFound, Denied, Temporary while another step changes it, and what its driver raises.
        """
        wanted = self._checked(wanted)
        known = self._store.get(wanted.uid)
        self._allow(actor, wanted, known)
        if known is None:
            self._tools.recorder.create(self._draft(wanted, None, actor, execution), actor)
        with self._tools.turns.take(wanted.uid, execution) as fence:
            now = self.need(wanted.uid)
            self._allow(actor, wanted, now)
            if self._fits(now, wanted, actor) and self._is_there(now, execution):
                return now
            return self._provision(actor, self._draft(wanted, now, actor, execution), now, fence, execution)

    def remove(
        self,
        actor: Principal,
        uid: str,
        execution: Execution,
        *,
        delete_data: bool = False,
        permission: str = REMOVE,
    ) -> tuple[str, ...]:
        """Take it away; says in words what was removed, and where data was kept. One that is gone is fine.

        Raises NotFound when there never was one, Conflict while a deployment uses it.
        """
        known = self.need(uid)
        self._tools.access.check(actor, permission, owner=known.owner, resource=f"resource:{uid}")
        if known.state == "removed" or known.removed_key == execution.step_key:
            return known.removed if known.removed_key == execution.step_key else ()
        self._unused(known)
        with self._tools.turns.take(uid, execution) as fence:
            now = self.need(uid)
            if now.state == "removed":
                return now.removed if now.removed_key == execution.step_key else ()
            return self._take_away(actor, now, fence, execution, delete_data=delete_data)

    def removal(self, actor: Principal, uid: str) -> Resource:
        """What would be removed. Raises NotFound, Denied, Conflict while a deployment uses it."""
        known = self.need(uid)
        self._tools.access.check(actor, REMOVE, owner=known.owner, resource=f"resource:{uid}")
        if known.state != "removed":
            self._unused(known)
        return known

    def made_by(self, uid: str, step_key: str) -> bool:
        """Whether this step made the resource that is there now."""
        known = self._store.get(uid)
        return known is not None and known.made_key == step_key and known.state != "removed"

    def _provision(
        self, actor: Principal, draft: Resource, before: Resource, fence: int, execution: Execution
    ) -> Resource:
        recorder, driving = self._tools.recorder, self._tools.driving
        message = "It is being made." if not before.made else "It is being made to fit."
        # What was asked for the first time has its audit row already.
        audited = "request" if before.state in ("ready", "failed", "removed") else ""
        begun = recorder.change(
            before, fence, actor, audited=audited, **_asked(draft), state="provisioning", message=message
        )
        execution.progress(f"Making {begun.type} {begun.name} in {begun.environment} with {begun.definition}.")
        try:
            outputs, secret_names = driving.provision(begun, execution.progress)
        except Exception as error:
            recorder.change(begun, fence, actor, told="failed", audited="provision", **_failure(error))
            raise
        made: dict[str, Any] = {"outputs": outputs, "secret_names": secret_names, "made": True}
        ready = recorder.change(
            begun, fence, actor, told="ready", audited="provision", state="ready", message="", **made
        )
        execution.progress(f"{ready.type} {ready.name} is ready.")
        return ready

    def _take_away(
        self, actor: Principal, now: Resource, fence: int, execution: Execution, *, delete_data: bool
    ) -> tuple[str, ...]:
        recorder, driving = self._tools.recorder, self._tools.driving
        begun = recorder.change(
            now, fence, actor, state="removing", message="It is being removed.", last_run_id=execution.run_id
        )
        try:
            removed = driving.remove(begun, execution.progress, delete_data=delete_data)
        except Exception as error:
            recorder.change(begun, fence, actor, told="failed", audited="remove", **_failure(error))
            raise
        driving.forget(begun)
        for line in removed:
            execution.progress(line)
        recorder.change(
            begun,
            fence,
            actor,
            told="removed",
            audited="remove",
            state="removed",
            message=" ".join(removed),
            removed=removed,
            removed_key=execution.step_key,
            outputs={},
            secret_names=(),
            made=False,
        )
        return removed

    def _draft(self, wanted: Wanted, known: Resource | None, actor: Principal, execution: Execution) -> Resource:
        """The resource as it would be: with the definition that it has, or the one that fits today."""
        place = self._place(wanted)
        now = self._tools.recorder.now()
        if known is not None and known.made and not wanted.adopt:
            return replace(
                known, params=dict(wanted.params), owner=wanted.owner or known.owner, last_run_id=execution.run_id
            )
        chosen = self._tools.definitions.choose(wanted.type, wanted.resource_class, place)
        if known is not None and known.made and known.driver != chosen.driver:
            raise Conflict(
                "resources.other_driver",
                f"{known.type} {known.name} was made by the driver {known.driver}; {chosen.name} uses {chosen.driver}.",
                hint="Remove it and ask for it again; look first where its data are kept.",
            )
        again = known is not None and known.state == "removed"
        fresh = known is None or again
        return Resource(
            id=wanted.uid,
            type=wanted.type,
            resource_class=wanted.resource_class,
            name=wanted.name,
            entity_ref=wanted.entity_ref,
            environment=wanted.environment,
            owner=wanted.owner or (known.owner if known and not again else None),
            **_provided(chosen),
            state="requested",
            message="It has been asked for.",
            params=dict(wanted.params),
            outputs={} if known is None else known.outputs,
            secret_names=() if known is None else known.secret_names,
            generation=1 if known is None else known.generation + again,
            made=known is not None and known.made,
            made_key=known.made_key if known is not None and known.made else execution.step_key,
            created_at=now if fresh or known is None else known.created_at,
            created_by=actor.name if fresh or known is None else known.created_by,
            updated_at=now,
            last_run_id=execution.run_id,
            fence=0 if known is None else known.fence,
        )

    def _checked(self, wanted: Wanted) -> Wanted:
        """In canonical form. Raises NotFound for the type, Invalid with everything that is wrong."""
        type_ = self._tools.registry.type(wanted.type)
        problems = [found for found in (name_problem(wanted.name),) if found]
        problems += param_problems(type_.params_schema, wanted.params)
        if problems:
            raise Invalid(
                "resources.invalid",
                f"The {wanted.type} {wanted.name!r:.80} cannot be asked for like this.",
                hint=f"`flagstone resources types {wanted.type}` shows what it takes.",
                problems=problems,
            )
        members = type_.params_schema.get("properties", {}).items()
        defaults = {name: member["default"] for name, member in members if "default" in member}
        found = replace(wanted.canonical(), params={**defaults, **wanted.params})
        known = self._store.get(found.uid)
        is_new = known is None or known.state == "removed"
        return replace(found, owner=found.owner or found.claimed) if is_new else found

    def _allow(self, actor: Principal, wanted: Wanted, known: Resource | None) -> None:
        """Decide with the owner it has, and with the one it is to have."""
        owners = {known.owner if known is not None and known.state != "removed" else wanted.owner}
        if wanted.owner is not None:
            owners.add(wanted.owner)
        for owner in owners:
            self._tools.access.check(actor, REQUEST, owner=owner, resource=f"resource:{wanted.uid}")

    def _fits(self, known: Resource, wanted: Wanted, actor: Principal) -> bool:
        if not known.fits(wanted):
            return False
        return not wanted.adopt or replace(self._draft(wanted, known, actor, Execution("")), **_same(known)) == known

    def _is_there(self, resource: Resource, execution: Execution) -> bool:
        status = self._tools.driving.status(resource)
        if status.state == "missing":
            execution.progress(f"{resource.type} {resource.name} is not there any more: {status.message}")
            return False
        return True

    def _unused(self, resource: Resource) -> None:
        users = self._users(resource)
        if users:
            raise Conflict(
                "resources.in_use",
                f"The {resource.type} {resource.name} in {resource.environment} is used by {', '.join(users)}.",
                hint="Remove the deployment first, or deploy a release that does not need it.",
            )

    def _place(self, wanted: Wanted | Resource) -> Place:
        environment = self._tools.environments.get(wanted.environment)
        return Place(wanted.environment, environment.type, wanted.entity_ref, wanted.name)

    def _view(self, resource: Resource) -> ResourceView:
        try:
            drift = self._tools.definitions.drift(resource, self._place(resource))
        except NotFound:
            drift = f"There is no environment {resource.environment} any more."
        return resource.view(drift)


def _provided(definition: ResourceDefinition) -> dict[str, Any]:
    return {
        "definition": definition.name,
        "driver": definition.driver,
        "config": dict(definition.config),
        "monthly_cost": definition.monthly_cost,
        "currency": definition.currency,
    }


def _asked(draft: Resource) -> dict[str, Any]:
    """What asking changes of a row."""
    names = (
        "owner definition driver config monthly_cost currency params generation made_key created_at created_by "
        "last_run_id"
    )
    return {name: getattr(draft, name) for name in names.split()}


def _failure(error: Exception) -> dict[str, Any]:
    """What is recorded of it. The text of an error that nobody expected may hold anything."""
    unexpected = f"It failed in a way that nobody expected ({type(error).__name__}); the log of its run tells more."
    return {"state": "failed", "message": error.message if isinstance(error, FlagstoneError) else unexpected}


def _same(known: Resource) -> dict[str, Any]:
    """What does not tell one definition from another."""
    names = "state message made made_key updated_at last_run_id removed_key removed fence"
    return {name: getattr(known, name) for name in names.split()}


def _differences(before: Resource, after: Resource) -> dict[str, str]:
    """What would be different, for people."""
    found = {}
    old: Mapping[str, Any] = before.params
    for name in sorted({*old, *after.params}):
        if old.get(name) != after.params.get(name):
            found[f"params.{name}"] = f"{_shown(old.get(name))} → {_shown(after.params.get(name))}"
    if before.owner != after.owner:
        found["Owner"] = f"{before.owner or 'nobody'} → {after.owner or 'nobody'}"
    if before.definition != after.definition:
        found["Definition"] = f"{before.definition} → {after.definition}"
    return found


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)[:80]
