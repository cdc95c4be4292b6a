"""Values of the audit log, and the hash that chains its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Outcome = Literal["ok", "denied", "failed"]

GENESIS = "0" * 64
"""``prev_hash`` of the first row."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row. ``seq`` counts from 1 without gaps within one database."""

    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    actor_kind: str
    via: str
    action: str
    resource: str
    outcome: str
    detail: Mapping[str, Any]
    request_id: str
    prev_hash: str
    hash: str = ""

    def digest(self) -> str:
        """The hash that this row must have."""
        content = {
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": [self.actor_id, self.actor_name, self.actor_kind],
            "via": self.via,
            "action": self.action,
            "resource": self.resource,
            "outcome": self.outcome,
            "detail": self.detail,
            "request_id": self.request_id,
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode() + self.prev_hash.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The newest row: keep it elsewhere and hand it to ``verify`` later."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Filters; newest first. ``action`` is a prefix in whole words (``catalog`` finds ``catalog.entity.delete``)."""

    actor: str | None = None
    """Id or (part of the) name."""
    action: str | None = None
    resource: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of walking the chain. ``broken_seq`` is the first row that is not as it was written."""

    ok: bool
    rows: int
    message: str
    broken_seq: int | None = None
    head: AuditHead = field(default=AuditHead(0, GENESIS))
