"""Starting batches, seeing them, and pausing, continuing, cancelling and retrying them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from flagstone.contracts.batches import (
    BatchCounts,
    BatchItemView,
    BatchState,
    BatchVerb,
    BatchView,
    ItemState,
    NewBatch,
    NewBatchItem,
)
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import EventLog
from flagstone.foundation.identity import Makers
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Problem
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.batches.model import Batch, Item
from flagstone.platform.batches.permissions import CHANGE, READ, START
from flagstone.platform.batches.service.driving import announce
from flagstone.platform.batches.service.secrets import BatchSecrets
from flagstone.platform.batches.store import BatchStore
from flagstone.platform.workflows import WorkflowService

MAX_CHARACTERS = 20_000_000
"""Of all inputs of a batch together, as JSON."""
_TOLD = 50


class BatchService:
    """Every method with an ``actor`` decides for it. ``wake`` tells the driver that there is something to do."""

    def __init__(
        self,
        store: BatchStore,
        workflows: WorkflowService,
        makers: Makers,
        secrets: BatchSecrets,
        *,
        access: AccessService,
        audit: AuditLog,
        events: EventLog,
        wake: Callable[[], None] = lambda: None,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._makers = makers
        self._secrets = secrets
        self._access = access
        self._audit = audit
        self._events = events
        self._wake = wake
        self._now = now

    def list(
        self,
        actor: Principal,
        *,
        state: Sequence[BatchState] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchView]:
        """A page, newest first."""
        self._access.check(actor, READ)
        size = clamp_limit(limit)
        before = str(decode_cursor(cursor)[0]) if cursor else None
        found = self._store.page(state, before, size + 1)
        following = encode_cursor(found[size - 1].id) if len(found) > size else None
        counts = self._store.counts([batch.id for batch in found[:size]])
        return Page(tuple(self._view(batch, counts[batch.id], actor) for batch in found[:size]), following)

    def get(self, batch_id: str, actor: Principal) -> BatchView:
        """One of them. Raises NotFound."""
        self._access.check(actor, READ)
        return self._seen(self._need(batch_id), actor)

    def items(
        self,
        batch_id: str,
        actor: Principal,
        *,
        state: Sequence[ItemState] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchItemView]:
        """A page of its entities, in their order. Raises NotFound."""
        self._access.check(actor, READ)
        self._need(batch_id)
        size = clamp_limit(limit)
        after = _position(cursor)
        found = self._store.members(batch_id, state, after, size + 1)
        following = encode_cursor(found[size - 1].position) if len(found) > size else None
        return Page(tuple(item.view() for item in found[:size]), following)

    def start(self, wanted: NewBatch, actor: Principal) -> BatchView:
        """Store one and have it driven; the same key of the same actor gives the batch it gave before.

        Raises Invalid (``batches.bad_items``) with every entity whose inputs are wrong, or ``batches.bad_secrets``,
        before anything is started; Denied.
        """
        self._access.check(actor, START, resource=wanted.workflow.template_ref or wanted.workflow.name)
        known = self._known(wanted, actor)
        if known is not None:
            return self._seen(known, actor)
        batch = self._new(wanted, actor)
        members = [_item(batch.id, number, item) for number, item in enumerate(wanted.items)]
        self._secrets.check(batch, wanted.secrets)
        self._check(batch, members, wanted.secrets)
        # Before the batch is there: whoever drives it must find them.
        with self._secrets.stored(batch, wanted.secrets, actor) as batch:
            if not self._add(batch, members, wanted.idempotency_key, actor):
                self._secrets.drop(batch.id)
        return self._seen(self._known(wanted, actor) or batch, actor)

    def _add(self, batch: Batch, members: Sequence[Item], key: str | None, actor: Principal) -> bool:
        with self._store.db.write():
            if not self._store.add(batch, members, key):
                return False
            detail = {"title": batch.title, "template": batch.workflow.template_ref, "entities": len(members)}
            self._audit.record(actor, START, f"batch:{batch.id}", detail=detail)
            announce(self._events, batch, "running", self._counts(batch), actor.id)
            self._store.db.after_commit(self._wake)
        return True

    def change(
        self, batch_id: str, verb: BatchVerb, actor: Principal, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Pause, continue or cancel it, or start the failed ones again. Raises Conflict, Denied, NotFound.

        ``secrets`` are for a retry: in place of those that it had, or again after they were deleted; raises Invalid
        (``batches.secrets_needed``) when they are and were not given.
        """
        batch = self._need(batch_id)
        if not self._may_change(batch, actor):
            self._access.check(actor, CHANGE, resource=f"batch:{batch_id}")
        if secrets and verb != "retry":
            raise Invalid("batches.secrets_for_retry", f"Secrets are for a retry, not for {verb}.")
        with self._store.db.write():
            batch = self._store.lock(batch_id) or batch
            values = self._values(batch, verb)
            if verb == "cancel":
                self._store.move_all(batch_id, ("pending",), state="skipped", ended_at=self._now())
            elif verb == "retry":
                again = {"state": "pending", "error": "", "ended_at": None}
                if not self._store.move_all(batch_id, ("failed", "cancelled"), **again):
                    raise _not_now(batch, "Nothing of it failed.")
                values |= self._secrets.again(batch, secrets or {}, actor)
            self._store.change(batch_id, **values)
            self._audit.record(actor, CHANGE, f"batch:{batch_id}", detail={"verb": verb})
            announce(self._events, batch, values["state"], self._counts(batch), actor.id)
            self._store.db.after_commit(self._wake)
        return self.get(batch_id, actor)

    def _values(self, batch: Batch, verb: BatchVerb) -> dict[str, Any]:
        allowed = {
            "pause": ("running",),
            "continue": ("paused", "stopped"),
            "cancel": ("running", "paused", "stopped"),
            "retry": ("running", "paused", "stopped", "failed"),
        }
        if batch.state not in allowed[verb]:
            raise _not_now(batch, f"It is {batch.state}.")
        if verb == "pause":
            return {"state": "paused"}
        if verb == "cancel":
            return {"state": "cancelling", "reason": ""}
        forgiven = self._counts(batch).failed if verb == "continue" else 0
        return {"state": "running", "reason": "", "ended_at": None, "forgiven": forgiven}

    def _known(self, wanted: NewBatch, actor: Principal) -> Batch | None:
        return self._store.by_key(actor.id, wanted.idempotency_key) if wanted.idempotency_key else None

    def _new(self, wanted: NewBatch, actor: Principal) -> Batch:
        return Batch(
            id=new_id(),
            title=wanted.title,
            workflow=wanted.workflow,
            query=wanted.query,
            state="running",
            reason="",
            at_once=wanted.at_once,
            stop_after_failures=wanted.stop_after_failures,
            forgiven=0,
            principal=actor,
            known_here=self._makers.knows(actor),
            created_at=self._now(),
        )

    def _check(self, batch: Batch, members: Sequence[Item], secrets: Mapping[str, SecretStr]) -> None:
        """What is wrong with the inputs is told before anything starts."""
        seen = Counter(item.subject for item in members)
        problems = [Problem("it is there twice", field=ref) for ref, number in seen.items() if number > 1]
        for item in members:
            try:
                self._workflows.check(item.request(batch, secrets))
            except FlagstoneError as error:
                told = "; ".join(str(problem) for problem in error.problems) or error.message
                problems.append(Problem(told[:500], field=item.subject))
        if problems:
            more = f" The first {_TOLD} are listed." if len(problems) > _TOLD else ""
            raise Invalid(
                "batches.bad_items",
                f"{len(problems)} of {len(members)} entities cannot be run like this.{more}",
                hint="Correct the inputs, or leave these entities out. Nothing was started.",
                problems=problems[:_TOLD],
            )
        size = sum(len(json.dumps([dict(item.inputs), dict(item.entities)], default=str)) for item in members)
        if size > MAX_CHARACTERS:
            hint = f"All inputs together may have {MAX_CHARACTERS:,} characters. Start several smaller batches."
            raise Invalid("batches.too_large", f"The inputs have {size:,} characters.", hint=hint)

    def _counts(self, batch: Batch) -> BatchCounts:
        return self._store.counts([batch.id])[batch.id]

    def _need(self, batch_id: str) -> Batch:
        found = self._store.get(batch_id)
        if found is None:
            raise NotFound(
                "batches.not_found", f"There is no batch {batch_id!r:.100}.", hint="`flagstone batches list` lists all."
            )
        return found

    def _may_change(self, batch: Batch, actor: Principal) -> bool:
        mine = actor.id == batch.principal.id and self._access.decide(actor, START).allowed
        return mine or self._access.decide(actor, CHANGE).allowed

    def _seen(self, batch: Batch, actor: Principal) -> BatchView:
        return self._view(batch, self._counts(batch), actor)

    def _view(self, batch: Batch, counts: BatchCounts, actor: Principal) -> BatchView:
        return BatchView(
            id=batch.id,
            title=batch.title,
            workflow=batch.workflow.title,
            template_ref=batch.workflow.template_ref,
            query=batch.query,
            state=batch.state,
            reason=batch.reason,
            at_once=batch.at_once,
            stop_after_failures=batch.stop_after_failures,
            counts=counts,
            actor=batch.principal.id,
            actor_name=batch.principal.name,
            created_at=batch.created_at,
            ended_at=batch.ended_at,
            secrets=batch.secrets,
            secrets_kept=batch.secrets_kept,
            may_change=self._may_change(batch, actor),
        )


def _item(batch_id: str, number: int, wanted: NewBatchItem) -> Item:
    given = wanted.model_dump()
    return Item(batch_id, number, **{**given, "subject": wanted.subject.lower()})


def _position(cursor: str | None) -> int:
    value = decode_cursor(cursor)[0] if cursor else -1
    if not isinstance(value, int):
        raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.")
    return value


def _not_now(batch: Batch, why: str) -> Conflict:
    return Conflict("batches.not_now", f"{batch.title} cannot be changed like this. {why}", hint="Look at it again.")
