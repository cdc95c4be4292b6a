"""Writes what became of a deployment: row, history, event and audit in one transaction, then a wake-up call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now
from flagstone.kernel.ids import new_id
from flagstone.platform.deployments.model import Deployment, HistoryEntry, Operation, Outcome, Release
from flagstone.platform.deployments.service.turns import Execution, Turn
from flagstone.platform.deployments.store import DeploymentStore, HistoryStore
from flagstone.sdk import RuntimeStatus
from flagstone.toolkit.signals import Signals

_TOLD = ("state", "message", "url", "current_release_id")
"""What the other room is told of when it changes; the rest is seen by those who look."""


def status_values(status: RuntimeStatus, now: Now) -> dict[str, Any]:
    """What a runtime reports, as columns."""
    return {
        "state": status.state,
        "message": status.message,
        "url": status.url,
        "since": status.since or now(),
        "restarts": status.restarts,
        "pid": status.pid,
        "next_run_at": status.next_run_at,
        "last_log": status.last_log,
    }


class Recorder:
    """See the module."""

    def __init__(
        self,
        store: DeploymentStore,
        history: HistoryStore,
        *,
        events: PlatformEvents,
        audit: PlatformAudit,
        signals: Signals,
        now: Now,
    ) -> None:
        self._store = store
        self._history = history
        self._events = events
        self._audit = audit
        self._signals = signals
        self.now = now

    def begin(
        self,
        deployment: Deployment,
        operation: Operation,
        release: Release | None,
        *,
        actor: Principal,
        execution: Execution,
    ) -> HistoryEntry:
        """Note that something begins."""
        return self._history.begin(
            HistoryEntry(
                id=new_id(),
                deployment_id=deployment.id,
                entity_ref=deployment.entity_ref,
                environment=deployment.environment,
                operation=operation,
                release_id=release.id if release else None,
                version=release.version if release else "",
                run_id=execution.run_id,
                step_key=execution.step_key,
                actor=actor.id,
                actor_name=actor.name,
                outcome="running",
                message="",
                started_at=self.now(),
            )
        )

    def change(self, deployment: Deployment, turn: Turn, actor_id: str, **values: Any) -> Deployment:
        """Write values in a turn. Raises Conflict when the turn is lost."""
        after = replace(deployment, **values)
        with self._store.db.write():
            self._store.change(deployment.id, turn.fence, values)
            self._tell(deployment, after, actor_id)
        return after

    def end(
        self,
        deployment: Deployment,
        turn: Turn,
        entry: HistoryEntry,
        outcome: Outcome,
        *,
        actor: Principal,
        **values: Any,
    ) -> Deployment:
        """Note how something ended and what is true of the deployment now (``message``: why).

        Raises Conflict when the turn is lost.
        """
        with self._store.db.write():
            after = self.change(deployment, turn, actor.id, **values)
            self._close(deployment, entry, outcome, actor, after.message, None)
        return after

    def removed(
        self,
        deployment: Deployment,
        turn: Turn,
        entry: HistoryEntry,
        *,
        actor: Principal,
        detail: Mapping[str, Any],
    ) -> None:
        """Note that a deployment is gone, and forget it. Raises Conflict when the turn is lost."""
        with self._store.db.write():
            self._store.change(deployment.id, turn.fence, {"state": "removing"})
            self._store.delete(deployment.id, turn.fence)
            self._close(deployment, entry, "succeeded", actor, "", detail)
            self._publish(deployment, "removed", "", actor.id)

    def observe(self, deployment: Deployment, **values: Any) -> bool:
        """Write what a runtime reports by itself, unless a rollout has begun meanwhile; whether it was written."""
        with self._store.db.write():
            if not self._store.observe(deployment.id, deployment.fence, values):
                return False
            self._tell(deployment, replace(deployment, **values), "")
        return True

    def _close(
        self,
        deployment: Deployment,
        entry: HistoryEntry,
        outcome: Outcome,
        actor: Principal,
        message: str,
        detail: Mapping[str, Any] | None,
    ) -> None:
        self._history.end(entry.id, outcome, message, self.now(), detail)
        facts = {
            "release": entry.version,
            "environment": deployment.environment,
            "run": entry.run_id,
            "message": message,
        }
        self._audit.record(
            actor,
            f"deployments.deployment.{entry.operation}",
            f"deployment:{deployment.id}",
            outcome="ok" if outcome == "succeeded" else "failed",
            detail={key: value for key, value in facts.items() if value},
        )

    def _tell(self, before: Deployment, after: Deployment, actor_id: str) -> None:
        if any(getattr(before, name) != getattr(after, name) for name in _TOLD):
            self._publish(after, after.state, after.message, actor_id)
        self._store.db.after_commit(lambda: self._signals.notify(f"deployment:{after.id}"))

    def _publish(self, deployment: Deployment, state: str, message: str, actor_id: str) -> None:
        data = {
            "entity_ref": deployment.entity_ref,
            "environment": deployment.environment,
            "state": state,
            "message": message,
        }
        self._events.publish("deployment.changed", deployment.id, data, actor=actor_id)
        self._store.db.after_commit(lambda: self._signals.notify(f"deployment:{deployment.id}"))
