"""The part of the door that is about triggers."""

from __future__ import annotations

from flagstone.contracts.runs import RunView
from flagstone.contracts.triggers import NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.triggers import TriggerService


class LocalTriggers:
    """See ``flagstone.contracts.triggers.TriggerDoor``."""

    _triggers: TriggerService

    def list_triggers(
        self,
        actor: Principal,
        *,
        kind: TriggerKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[TriggerView]:
        """A page of triggers."""
        return self._triggers.list(actor, kind=kind, cursor=cursor, limit=limit)

    def get_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """One trigger."""
        return self._triggers.get(trigger_id, actor)

    def create_trigger(self, wanted: NewTrigger, actor: Principal) -> TriggerView:
        """Make one."""
        return self._triggers.create(wanted, actor)

    def change_trigger(self, trigger_id: str, change: TriggerChange, actor: Principal) -> TriggerView:
        """Change when it starts or what it runs."""
        return self._triggers.change(trigger_id, change, actor)

    def pause_trigger(self, trigger_id: str, actor: Principal, *, paused: bool) -> TriggerView:
        """Pause it, or let it go on."""
        return self._triggers.pause(trigger_id, actor, paused=paused)

    def run_trigger(self, trigger_id: str, actor: Principal) -> RunView:
        """Run it now."""
        return self._triggers.run(trigger_id, actor)

    def delete_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Delete it."""
        return self._triggers.delete(trigger_id, actor)
