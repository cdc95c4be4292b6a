"""Events of the outbox: what one room tells the other, at least once, in order of the cursor."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from flagstone.contracts.base import JSON, Wire

TRIGGERING: dict[str, tuple[str, ...]] = {
    "repository.pushed": ("repository", "branch", "before", "after", "paths"),
    "repository.deleted": ("repository",),
    "repository.change.opened": ("repository", "number", "title", "branch", "base", "head"),
    "repository.change.merged": ("repository", "number", "title", "branch", "base", "head", "merge_commit"),
    "repository.change.closed": ("repository", "number", "title", "branch", "base", "head"),
    "run.changed": ("state", "title", "number", "template_ref", "owner"),
    "deployment.changed": ("entity_ref", "environment", "state", "message"),
    "resources.resource.ready": ("type", "name", "environment", "entity_ref", "owner"),
    "resources.resource.failed": ("type", "name", "environment", "entity_ref", "owner", "message"),
    "resources.resource.removed": ("type", "name", "environment", "entity_ref", "owner", "message"),
}
"""Types of events that people let runs be started by, with the names in ``data``; plugins may publish others."""


class Event(Wire):
    """``cursor`` grows by one or more within a room; ``id`` is unique, so that a handler can be idempotent.

    Types in use: ``catalog.location.requested`` {type, target, entity_refs}, ``catalog.location.withdrawn`` {type,
    target, entity_ref, owner, role}, ``repository.pushed`` {repository, branch, before, after, paths},
    ``repository.deleted`` {repository},
    ``repository.change.opened``, ``….merged`` and ``….closed`` {repository, number, title, branch, base, head,
    merge_commit},
    ``run.changed`` {state, title, number, template_ref, owner, trigger},
    ``batch.changed`` {state, title, template_ref, total, succeeded, failed, by},
    ``approval.requested`` {run, number, title, of, owner,
    by_name, message, expires_at}, ``approval.delegated`` {run, number, title, to, owner, by_name, delegated_by_name,
    message, expires_at}, ``approval.decided`` {run, number, title, state, owner, requested_by, by_name,
    comment}, ``deployment.changed`` {entity_ref, environment, state, message},
    ``resources.resource.requested``, ``….ready``, ``….failed`` and ``….removed`` {type, name, environment, entity_ref,
    owner, state, message}.
    """

    cursor: int
    id: str
    type: str
    at: datetime
    subject: str
    actor: str = ""
    data: dict[str, JSON] = Field(default_factory=dict)
