"""Reading resources through the gateway, and asking for them: each request and each removal is one run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flagstone.contracts.gateway import GatewayInfo, RunGateway, RunQuery
from flagstone.contracts.plans import Plan
from flagstone.contracts.resources import ResourceQuery, ResourceTypeView, ResourceView
from flagstone.contracts.runs import RunRequest, RunSummary, RunView, WorkflowDefinition
from flagstone.contracts.workflows import remove_resource_workflow
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.kernel.paging import Page
from flagstone.portal.catalog import CatalogService
from flagstone.portal.resources.model import Offer, Wanted
from flagstone.portal.resources.permissions import CHANGE
from flagstone.toolkit.web.once import once

_RUNS = 5


@dataclass(frozen=True, slots=True)
class May:
    """Whether somebody may do something, and why not."""

    allowed: bool
    reason: str = ""
    hint: str = ""


class ResourceRequests:
    """What the pages of resources stand on. Every method may raise Unavailable, Denied, NotFound."""

    def __init__(self, gateway: RunGateway, catalog: CatalogService, access: AccessService, audit: AuditLog) -> None:
        self._gateway = gateway
        self._catalog = catalog
        self._access = access
        self._audit = audit

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def list(self, principal: Principal, query: ResourceQuery) -> Page[ResourceView]:
        """A page of resources."""
        return self._gateway.list_resources(query, principal)

    def get(self, principal: Principal, resource_id: str) -> ResourceView:
        """One resource, also a removed one."""
        return self._gateway.get_resource(resource_id, principal)

    def types(self, principal: Principal) -> tuple[ResourceTypeView, ...]:
        """What may be asked for."""
        return once(("resource types", principal), lambda: tuple(self._gateway.resource_types(principal)))

    def offer(self, principal: Principal) -> Offer:
        """What may be asked for, and where it is provided."""
        return Offer(
            self.types(principal),
            tuple(self._gateway.resource_definitions(principal)),
            tuple(self._gateway.list_environments(principal)),
        )

    def runs(self, principal: Principal, view: ResourceView) -> tuple[RunSummary, ...]:
        """The last run about a resource, and others that were started from here; none where they cannot be read."""
        title = f" {view.type} {view.name} in {view.environment}"
        query = RunQuery(subject=view.entity_ref, text=title, limit=_RUNS)
        try:
            found = [run for run in self._gateway.list_runs(query, principal).items if run.title.endswith(title)]
            if view.last_run_id and view.last_run_id not in {run.id for run in found}:
                found.insert(0, self._gateway.get_run(view.last_run_id, principal))
        except FlagstoneError:
            return ()
        return tuple(sorted(found, key=lambda run: run.number, reverse=True))

    def may(self, principal: Principal, owner: str | None) -> May:
        """Whether somebody may ask for and remove what belongs to an owner."""
        decision = self._access.decide(principal, CHANGE, owner=owner)
        return May(decision.allowed, decision.reason, decision.hint or "")

    def may_for(self, principal: Principal, wanted: Wanted) -> May:
        """The same for what is being asked for; before it says whose it is, everybody who might own something may."""
        if not wanted.entity_ref and not wanted.owner:
            decision = self._access.possible(principal, CHANGE)
            return May(decision.allowed, decision.reason, decision.hint or "")
        entity = self._catalog.find(wanted.entity_ref) if wanted.entity_ref else None
        return self.may(principal, entity.owner if entity else wanted.owner)

    def plan(self, principal: Principal, wanted: Wanted) -> Plan:
        """What asking would do, and what it would cost."""
        return self._gateway.plan(self._request(principal, wanted), principal)

    def start(self, principal: Principal, wanted: Wanted, *, digest: str | None, key: str | None) -> RunView:
        """Ask for it. Raises Conflict when the plan is not the one that was seen."""
        request = self._request(principal, wanted)
        return self._submit(principal, "request", request, digest, key)

    def plan_removal(self, principal: Principal, view: ResourceView, *, delete_data: bool) -> Plan:
        """What removing would do."""
        return self._gateway.plan(self._removal(principal, view, delete_data=delete_data), principal)

    def remove(
        self, principal: Principal, view: ResourceView, *, delete_data: bool, digest: str | None, key: str | None
    ) -> RunView:
        """Take it away. Raises Conflict when the plan is not the one that was seen."""
        request = self._removal(principal, view, delete_data=delete_data)
        return self._submit(principal, "remove", request, digest, key)

    def _request(self, principal: Principal, wanted: Wanted) -> RunRequest:
        entity = self._catalog.get(wanted.entity_ref) if wanted.entity_ref else None
        owner = (entity.owner if entity else None) or wanted.owner or None
        subject = entity.ref if entity else f"{wanted.type} {wanted.name}"
        self._access.check(principal, CHANGE, owner=owner, resource=subject)
        known = replace(wanted, owner=owner or "", entity_ref=entity.ref if entity else "")
        return _run_request(known.workflow(), entity.ref if entity else None, owner)

    def _removal(self, principal: Principal, view: ResourceView, *, delete_data: bool) -> RunRequest:
        self._access.check(principal, CHANGE, owner=view.owner, resource=f"resource:{view.id}")
        title = f"Remove {view.type} {view.name} in {view.environment}"
        workflow = remove_resource_workflow(title=title, resource_id=view.id, delete_data=delete_data)
        return _run_request(workflow, view.entity_ref, view.owner)

    def _submit(
        self, principal: Principal, verb: str, request: RunRequest, digest: str | None, key: str | None
    ) -> RunView:
        told = {"plan_digest": digest, "idempotency_key": f"resources:{key}" if key else None}
        run = self._gateway.submit(request.model_copy(update=told), principal)
        subject = next(iter(request.subjects), request.workflow.title)
        self._audit.record(principal, f"resources.page.{verb}", subject, detail={"run": run.id})
        return run


def _run_request(workflow: WorkflowDefinition, entity_ref: str | None, owner: str | None) -> RunRequest:
    return RunRequest(workflow=workflow, subjects=(entity_ref,) if entity_ref else (), owner=owner)
