"""Recording, listing and verifying."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flagstone.foundation.audit.model import (
    GENESIS,
    AuditHead,
    AuditQuery,
    AuditRow,
    Outcome,
    Verification,
    redact,
    redact_text,
)
from flagstone.foundation.audit.store import AuditStore
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Invalid
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.toolkit.db import Database
from flagstone.toolkit.telemetry import request_id

log = logging.getLogger("flagstone.audit")


class AuditLog:
    """The audit log of one database: one chain."""

    def __init__(self, db: Database, *, now: Now = utc_now) -> None:
        self._db = db
        self._store = AuditStore(db)
        self._now = now

    def record(
        self,
        principal: Principal,
        action: str,
        resource: str,
        *,
        outcome: Outcome = "ok",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a row with the current transaction, or in one of its own.

        ``ok`` rows share the fate of the change that they tell of. ``denied`` and ``failed`` rows are kept even when
        the transaction is rolled back: they are the reason why it is.
        """
        values: dict[str, Any] = {
            "at": self._now(),
            "actor_id": redact_text(principal.id),
            "actor_name": redact_text(principal.name),
            "actor_kind": principal.kind,
            "via": principal.via,
            "action": action,
            "resource": redact_text(resource),
            "outcome": outcome,
            "detail": redact(detail or {}),
            "request_id": request_id.get(),
        }
        if outcome != "ok":
            self._db.after_rollback(lambda: self._append(values))
        self._append(values)

    def list(self, query: AuditQuery | None = None) -> Page[AuditRow]:
        """A page of rows, newest first. Raises Invalid for a cursor that is not one."""
        query = query or AuditQuery()
        limit = clamp_limit(query.limit)
        before: int | None = None
        if query.cursor:
            values = decode_cursor(query.cursor)
            if len(values) != 1 or not isinstance(values[0], int):
                raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.")
            before = values[0]
        found = self._store.page(query, before, limit + 1)
        more = encode_cursor(found[limit - 1].seq) if len(found) > limit else None
        return Page(tuple(found[:limit]), more)

    def head(self) -> AuditHead:
        """The newest row, to be kept elsewhere as a proof."""
        return self._store.head()

    def verify(self, known: AuditHead | None = None) -> Verification:
        """Walk the whole chain. With a head that was ``known`` earlier it also finds a cut-off tail or an old copy."""
        expected, prev, count = 1, GENESIS, 0
        met = known is None or known.seq == 0
        for row in self._store.walk():
            fault = _fault(row, expected, prev)
            if fault is None and known is not None and row.seq == known.seq:
                met = True
                fault = (
                    None
                    if row.hash == known.hash
                    else f"Row {row.seq} is not the one that was known: history was rewritten."
                )
            if fault is not None:
                return Verification(False, count, fault, max(row.seq, 1) if row.seq <= expected else expected)
            expected, prev, count = row.seq + 1, row.hash, count + 1
        if not met and known is not None:
            text = f"The log ends at row {count}, but row {known.seq} was known: its tail is missing."
            return Verification(False, count, text, count + 1, AuditHead(count, prev))
        return Verification(True, count, f"All {count} rows are as they were written.", None, AuditHead(count, prev))

    def _append(self, values: dict[str, Any]) -> None:
        self._db.before_commit(lambda conn: self._store.append(conn, values))


def _fault(row: AuditRow, expected: int, prev: str) -> str | None:
    if row.seq > expected:
        return f"Row {expected} is missing."
    if row.seq < expected:
        return f"Row {row.seq} should not be there."
    if row.prev_hash != prev:
        return f"Row {row.seq} does not follow the row before it."
    if row.hash != row.digest():
        return f"Row {row.seq} was changed after it was written."
    return None


class PortalAudit(AuditLog):
    """The portal's log."""


class PlatformAudit(AuditLog):
    """The platform's log."""


class HomeAudit(AuditLog):
    """The log beside people, tokens and secrets: the same chain as that of the room whose database is home."""
