"""Reading runs through the gateway, cancelling and retrying them, and looking whether what a run removed is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.contracts.gateway import GatewayInfo, RunGateway, RunQuery
from flagstone.contracts.runs import RunEvent, RunSummary, RunView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.kernel.paging import Page
from flagstone.portal.catalog import CatalogService
from flagstone.portal.self_service.model import ACTIVE
from flagstone.portal.self_service.permissions import RUN_ANSWER, RUN_CHANGE

_COUNT_SECONDS = 3.0
_EVENTS = 1000
STATES: dict[str, tuple[str, ...]] = {
    "active": ACTIVE,
    "failed": ("failed", "unknown"),
    "succeeded": ("succeeded",),
    "cancelled": ("cancelled",),
}
"""Filter of the list of runs to states."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that a run was to remove, and whether it is gone; ``gone`` None: it cannot be said."""

    text: str
    gone: bool | None


class RunReader:
    """Runs as the portal shows them."""

    def __init__(self, gateway: RunGateway, catalog: CatalogService, access: AccessService, audit: AuditLog) -> None:
        self.gateway = gateway
        self._catalog = catalog
        self._access = access
        self._audit = audit
        self._counted: tuple[float, int | None] = (0.0, None)

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self.gateway.info()

    def may_change(self, principal: Principal) -> bool:
        """Whether a person may cancel and retry at all."""
        return self._access.decide(principal, RUN_CHANGE).allowed

    def list(
        self,
        principal: Principal,
        *,
        state: str = "",
        mine: bool = False,
        text: str = "",
        subject: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[RunSummary]:
        """A page of runs, newest first. ``state`` is a key of :data:`STATES`."""
        query = RunQuery(
            state=STATES.get(state, ()),
            actor=principal.id if mine else None,
            subject=subject,
            text=text.strip() or None,
            cursor=cursor,
            limit=limit,
        )
        return self.gateway.list_runs(query, principal)

    def made_by(self, principal: Principal, ref: str, template_ref: str | None) -> RunSummary | None:
        """The run of a golden path that an entity came from, as far as it can be told."""
        query = RunQuery(subject=ref, template_ref=template_ref, state=("succeeded",), limit=50)
        found = [run for run in self.gateway.list_runs(query, principal).items if run.template_ref]
        return found[-1] if found else None

    def get(self, principal: Principal, run_id: str) -> RunView:
        """One run, by id or number. Raises NotFound."""
        return self.gateway.get_run(run_id, principal)

    def before(self, principal: Principal, run: RunView) -> RunSummary | None:
        """The run of the same template that ended last before this one."""
        query = RunQuery(template_ref=run.template_ref, until=run.created_at, limit=1)
        return next(iter(self.gateway.list_runs(query, principal).items), None)

    def active_count(self, principal: Principal) -> int | None:
        """How many runs go on; None for none or when it cannot be told. Remembered for three seconds."""
        if self._counted[0] < time.monotonic():
            try:
                found = self.gateway.list_runs(RunQuery(state=ACTIVE, limit=100), principal)
                self._counted = (time.monotonic() + _COUNT_SECONDS, len(found.items) or None)
            except FlagstoneError:
                self._counted = (time.monotonic() + _COUNT_SECONDS, None)
        return self._counted[1]

    def cancel(self, principal: Principal, run_id: str, *, undo: bool = False) -> RunView:
        """Ask a run to stop, with ``undo`` also to take back what is done."""
        return self._change(principal, "cancel", run_id, lambda: self.gateway.cancel(run_id, principal, undo=undo))

    def retry(self, principal: Principal, run_id: str, from_step: str | None = None) -> RunView:
        """Go on from where it failed."""
        return self._change(
            principal, "retry", run_id, lambda: self.gateway.retry(run_id, principal, from_step=from_step)
        )

    def _change(self, principal: Principal, verb: str, run_id: str, act: Callable[[], RunView]) -> RunView:
        self._access.check(principal, RUN_CHANGE, resource=f"run:{run_id}")
        run = act()
        self._audit.record(principal, f"self_service.run.{verb}", f"run:{run.id}")
        return run

    def may_answer(self, principal: Principal) -> bool:
        """Whether a person may answer steps at all."""
        return self._access.decide(principal, RUN_ANSWER).allowed

    def answer(self, principal: Principal, run_id: str, step_id: str, values: Mapping[str, Any]) -> RunView:
        """Answer a step that asks for input. Raises Denied, Conflict, Invalid with each fault and its field."""
        self._access.check(principal, RUN_ANSWER, resource=f"run:{run_id}")
        return self.gateway.answer_run(run_id, step_id, dict(values), principal)

    def events(self, principal: Principal, run_id: str, after: int = 0) -> Iterator[Sequence[RunEvent]]:
        """All events so far, in portions."""
        while found := self.gateway.run_events(run_id, principal, after=after, limit=_EVENTS):
            yield found
            after = found[-1].seq
            if len(found) < _EVENTS:
                return

    def proofs(self, principal: Principal, run: RunView) -> Sequence[Proof]:
        """For a run that removed something: each thing, looked for again."""
        found: list[Proof] = []
        for step in run.steps:
            if step.state != "succeeded":
                continue
            if step.action == "flagstone:undeploy":
                name = str(step.inputs.get("deployment", ""))
                label = str(step.outputs.get("environment") or name)
                gone = _gone(lambda name=name: self.gateway.get_deployment(name, principal))  # type: ignore[misc]
                found.append(Proof(f"The deployment ({label}) does not run any more", gone))
            elif step.action == "flagstone:repository:delete":
                name = str(step.inputs.get("repository", ""))
                gone = _gone(lambda name=name: self.gateway.get_repository(name, principal))  # type: ignore[misc]
                found.append(Proof(f"The repository {name} is deleted", gone))
            elif step.action == "catalog:unregister":
                ref = str(step.inputs.get("entityRef", ""))
                if ref:
                    found.append(Proof(f"{ref} is not in the catalog any more", self._catalog.find(ref) is None))
        return found


def _gone(look: Callable[[], object]) -> bool | None:
    try:
        look()
    except NotFound:
        return True
    except FlagstoneError:
        return None
    return False
