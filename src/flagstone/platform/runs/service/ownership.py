"""Who may act on a run."""

from __future__ import annotations

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.platform.runs.model import RunRecord
from flagstone.platform.runs.permissions import START


def check_own(access: AccessService, record: RunRecord, actor: Principal, permission: str) -> None:
    """Who started a run may act on it while the role still allows to start runs; others need the permission.

    Raises Denied.
    """
    mine = record.principal
    same = actor.id == mine.id or (actor.entity_ref is not None and actor.entity_ref == mine.entity_ref)
    if same and access.decide(actor, START).allowed:
        return
    access.check(actor, permission, owner=record.owner, resource=f"run:{record.id}")
