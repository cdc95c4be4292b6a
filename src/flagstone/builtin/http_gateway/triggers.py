"""The part of the door that is about triggers, over HTTP."""

from __future__ import annotations

from urllib.parse import quote

from flagstone.builtin.http_gateway.calls import Calls
from flagstone.contracts.runs import RunView
from flagstone.contracts.triggers import NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

_ALL = "/api/v1/triggers"


class HttpTriggers(Calls):
    """See ``flagstone.contracts.triggers.TriggerDoor``."""

    def list_triggers(
        self,
        actor: Principal,
        *,
        kind: TriggerKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[TriggerView]:
        """A page of triggers."""
        return self._page(TriggerView, _ALL, actor, {"kind": kind, "cursor": cursor, "limit": limit})

    def get_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """One trigger."""
        return self._one(TriggerView, _path(trigger_id), actor)

    def create_trigger(self, wanted: NewTrigger, actor: Principal) -> TriggerView:
        """Make one."""
        body = wanted.model_dump(mode="json")
        # A schedule with secrets is refused; for that they need not travel.
        body["request"]["secrets"] = dict.fromkeys(wanted.request.secrets, "")
        return self._one(TriggerView, _ALL, actor, method="POST", body=body)

    def change_trigger(self, trigger_id: str, change: TriggerChange, actor: Principal) -> TriggerView:
        """Change when it starts or what it runs."""
        body = change.model_dump(mode="json", exclude_none=True)
        if change.request is not None:
            body["request"]["secrets"] = dict.fromkeys(change.request.secrets, "")
        return self._one(TriggerView, _path(trigger_id), actor, method="PUT", body=body)

    def pause_trigger(self, trigger_id: str, actor: Principal, *, paused: bool) -> TriggerView:
        """Pause it, or let it go on."""
        return self._one(TriggerView, _path(trigger_id), actor, method="PATCH", body={"paused": paused})

    def run_trigger(self, trigger_id: str, actor: Principal) -> RunView:
        """Run it now."""
        return self._one(RunView, f"{_path(trigger_id)}/run", actor, method="POST")

    def delete_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Delete it."""
        return self._one(TriggerView, _path(trigger_id), actor, method="DELETE")


def _path(trigger_id: str) -> str:
    return f"{_ALL}/{quote(trigger_id, safe='')}"
