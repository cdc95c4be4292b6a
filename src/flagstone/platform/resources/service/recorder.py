"""Writes what became of a resource: row, event and audit row in one transaction, then a wake-up call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now
from flagstone.platform.resources.model import Resource
from flagstone.platform.resources.store import ResourceStore
from flagstone.toolkit.signals import Signals


class Recorder:
    """See the module."""

    def __init__(
        self, store: ResourceStore, *, events: PlatformEvents, audit: PlatformAudit, signals: Signals, now: Now
    ) -> None:
        self.store = store
        self._events = events
        self._audit = audit
        self._signals = signals
        self.now = now

    def create(self, resource: Resource, actor: Principal) -> bool:
        """Note that it is wanted, unless it is noted already; whether it was not."""
        with self.store.db.write():
            if not self.store.create(resource):
                return False
            self._tell(resource, actor, "requested", audited="request")
        return True

    def change(
        self, resource: Resource, fence: int, actor: Principal, *, told: str = "", audited: str = "", **values: Any
    ) -> Resource:
        """Write values in a turn; ``told`` is the event, ``audited`` the verb of the audit row.

        Raises Conflict when the turn is lost.
        """
        after = replace(resource, **values, updated_at=self.now())
        with self.store.db.write():
            self.store.change(resource.id, fence, {**values, "updated_at": after.updated_at})
            self._tell(after, actor, told, audited=audited)
        return after

    def _tell(self, resource: Resource, actor: Principal, told: str, *, audited: str) -> None:
        if told:
            data = {
                "type": resource.type,
                "name": resource.name,
                "environment": resource.environment,
                "entity_ref": resource.entity_ref,
                "owner": resource.owner,
                "state": resource.state,
                "message": resource.message,
            }
            self._events.publish(f"resources.resource.{told}", resource.id, data, actor=actor.id)
        if audited:
            facts = {
                "type": resource.type,
                "name": resource.name,
                "environment": resource.environment,
                "component": resource.entity_ref,
                "definition": resource.definition,
                "run": resource.last_run_id,
                "message": resource.message,
            }
            self._audit.record(
                actor,
                f"resources.resource.{audited}",
                f"resource:{resource.id}",
                outcome="failed" if resource.state == "failed" else "ok",
                detail={key: value for key, value in facts.items() if value},
            )
        self.store.db.after_commit(lambda: self._signals.notify(f"resource:{resource.id}"))
