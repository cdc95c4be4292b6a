"""The audit log as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from flagstone.foundation.audit.model import AuditHead, AuditQuery, AuditRow, Outcome
from flagstone.foundation.audit.service import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import iso
from flagstone.kernel.errors import NotFound
from flagstone.sdk.guards import permit

Text = Annotated[str | None, Query(max_length=300)]
Moment = Annotated[AwareDatetime | None, Query(description="RFC 3339 with a time zone")]


def router(logs: Mapping[str, AuditLog]) -> APIRouter:
    """Routes under ``/api/v1/audit``; ``logs`` by room, the first one is the default."""
    api = APIRouter(prefix="/api/v1/audit", tags=["audit"])

    def choose(room: str | None) -> AuditLog:
        if room is None:
            return next(iter(logs.values()))
        if room not in logs:
            raise NotFound(
                "audit.no_room", f"There is no audit log {room!r} here.", hint=f"There are: {', '.join(logs)}."
            )
        return logs[room]

    @api.get("")
    def list_rows(
        _principal: Annotated[Principal, permit("audit.read")],
        room: Text = None,
        actor: Text = None,
        action: Text = None,
        resource: Text = None,
        outcome: Outcome | None = None,
        since: Moment = None,
        until: Moment = None,
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
        limit: Annotated[int | None, Query(ge=1)] = None,
    ) -> dict[str, Any]:
        """Rows, newest first. ``action`` matches whole first words, ``actor`` an id or part of a name."""
        query = AuditQuery(actor, action, resource, outcome, since, until, cursor, limit)
        page = choose(room).list(query)
        return {"items": [as_json(row) for row in page.items], "next_cursor": page.next_cursor}

    @api.get("/verify")
    def verify(
        _principal: Annotated[Principal, permit("audit.verify")],
        room: Text = None,
        known_seq: Annotated[int | None, Query(ge=0)] = None,
        known_hash: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    ) -> dict[str, Any]:
        """Walk the chain. With ``known_seq`` and ``known_hash`` of an earlier answer it also finds a tail cut off."""
        known = AuditHead(known_seq, known_hash) if known_seq is not None and known_hash is not None else None
        result = choose(room).verify(known)
        return {
            "ok": result.ok,
            "rows": result.rows,
            "message": result.message,
            "broken_seq": result.broken_seq,
            "head": {"seq": result.head.seq, "hash": result.head.hash},
        }

    return api


def as_json(row: AuditRow) -> dict[str, Any]:
    """A row for the wire."""
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "actor": {"id": row.actor_id, "name": row.actor_name, "kind": row.actor_kind},
        "via": row.via,
        "action": row.action,
        "resource": row.resource,
        "outcome": row.outcome,
        "detail": row.detail,
        "request_id": row.request_id,
        "hash": row.hash,
    }
