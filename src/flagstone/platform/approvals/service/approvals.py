"""Seeing, deciding and delegating requests. Of all who decide at once, each is heard once and one ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from flagstone.contracts.approvals import ApprovalQuery, ApprovalState, ApprovalVerdict, ApprovalView
from flagstone.contracts.plans import Plan
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import EventLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import iso, utc_now
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.kernel.refs import parse_ref
from flagstone.platform.approvals.model import (
    ApprovalRecord,
    Decision,
    Delegation,
    Standing,
    same_person,
    seat_of,
    standing,
)
from flagstone.platform.approvals.permissions import DECIDE, READ
from flagstone.platform.approvals.store import ApprovalStore, Wanted
from flagstone.platform.runs import WaitService

_MAX_COMMENT = 5_000


class ApprovalService:
    """Every method decides for the ``actor`` it is given."""

    def __init__(
        self,
        store: ApprovalStore,
        waiting: WaitService,
        *,
        access: AccessService,
        audit: AuditLog,
        events: EventLog,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._db = store.db
        self._waiting = waiting
        self._access = access
        self._audit = audit
        self._events = events
        self._now = now

    def list(self, query: ApprovalQuery, actor: Principal) -> Page[ApprovalView]:
        """A page of requests, newest first."""
        self._access.check(actor, READ)
        size, now = clamp_limit(query.limit), self._now()
        before = str(decode_cursor(query.cursor)[0]) if query.cursor else None
        wanted = Wanted(
            query.state, actor if query.mine else None, actor if query.by_me else None, query.run_id or None
        )
        found = self._store.page(wanted, now, before, size + 1)
        following = encode_cursor(found[size - 1].id) if len(found) > size else None
        return Page(tuple(record.view(actor, now) for record in found[:size]), following)

    def count(self, actor: Principal) -> int:
        """How many wait for this person."""
        self._access.check(actor, READ)
        return self._store.count(Wanted(may_decide=actor), self._now())

    def get(self, approval_id: str, actor: Principal) -> ApprovalView:
        """One request. Raises NotFound."""
        self._access.check(actor, READ)
        return self._record(approval_id).view(actor, self._now())

    def plan(self, approval_id: str, actor: Principal) -> Plan | None:
        """The plan that it is bound to, as it was when it was asked. Raises NotFound."""
        self._access.check(actor, READ)
        digest = self._record(approval_id).plan_digest
        return self._store.plan(digest) if digest else None

    def decide(
        self, approval_id: str, actor: Principal, verdict: ApprovalVerdict, *, comment: str = "", plan_digest: str = ""
    ) -> ApprovalView:
        """Approve or reject. The same once more is the same; nothing else changes a decision.

        Raises Denied for who is not asked or asked for it, Conflict when it is decided, expired, void, or about another
        plan than the one that was seen.
        """
        self._access.check(actor, DECIDE, resource=f"approval:{approval_id}")
        if len(comment) > _MAX_COMMENT:
            raise Invalid("approvals.comment_too_long", f"A comment has at most {_MAX_COMMENT:,} characters.")
        with self._db.write():
            now = self._now()
            held = self._store.hold(approval_id, now)
            record = self._record(approval_id)
            said = next((item for item in record.decisions if same_person(actor, item.actor, item.actor_ref)), None)
            if said is not None and said.verdict == verdict:
                return record.view(actor, now)
            if held and plan_digest and plan_digest != record.plan_digest:
                raise Conflict(
                    "approvals.other_plan",
                    "What is to be approved is not what you saw.",
                    hint="Look at the request again and decide then.",
                )
            place = self._place(record, actor, now)
            self._write(record, actor, verdict, comment.strip(), place, now)
        return self.get(approval_id, actor)

    def _write(
        self,
        record: ApprovalRecord,
        actor: Principal,
        verdict: ApprovalVerdict,
        comment: str,
        place: Standing,
        now: datetime,
    ) -> None:
        ref = actor.entity_ref.lower() if actor.entity_ref else None
        decision = Decision(place.seat, actor.id, ref, actor.name, verdict, comment, now, place.on_behalf_of)
        self._store.decide(record.id, decision)
        detail = {"verdict": verdict, "run": record.run_number, "plan": record.plan_digest, "comment": comment}
        if place.on_behalf_of:
            detail["on_behalf_of"] = place.on_behalf_of
        self._audit.record(actor, DECIDE, f"approval:{record.id}", detail=detail)
        if verdict == "reject":
            self._close(record, "rejected", actor, comment, now)
        elif record.approvals + 1 >= record.rule.count:
            self._close(record, "approved", actor, comment, now)

    def _close(
        self, record: ApprovalRecord, state: ApprovalState, actor: Principal, comment: str, now: datetime
    ) -> None:
        if not self._store.turn([record.id], "pending", state, now):
            raise Conflict("approvals.not_pending", "Somebody else was faster.")
        data = {
            "state": state,
            "run": record.run_id,
            "number": record.run_number,
            "title": record.run_title,
            "owner": record.owner,
            "requested_by": record.requested_by,
            "by_name": actor.name,
            "comment": comment,
        }
        self._events.publish("approval.decided", record.id, data, actor=actor.id)
        if state == "rejected" or not self._store.of_run(record.run_id, record.step_id, pending=True):
            # A step that is not put away yet is woken by the settler.
            with contextlib.suppress(Conflict):
                self._waiting.signal(record.run_id, record.step_id, {"approval": record.id, "state": state})

    def delegate(self, approval_id: str, actor: Principal, to: str) -> ApprovalView:
        """Let somebody else decide in one's place; one's own place stays open until one of both has decided.

        Raises Denied for who may not decide, or may only in the place of others; Invalid for who cannot be delegated
        to; Conflict when it is decided.
        """
        self._access.check(actor, DECIDE, resource=f"approval:{approval_id}")
        try:
            wanted = parse_ref(to.strip(), default_kind="user", default_namespace="default")
        except Invalid:
            wanted = None
        if wanted is None or wanted.kind.lower() != "user":
            raise Invalid(
                "approvals.bad_delegate",
                f"{to!r:.100} is no user.",
                hint="Name one as in the catalog: user:default/ada.",
            )
        ref = str(wanted).lower()
        with self._db.write():
            now = self._now()
            self._store.hold(approval_id, now)
            record = self._record(approval_id)
            place = self._place(record, actor, now)
            if place.on_behalf_of:
                raise self._denied(actor, record, "not_asked", "Who was delegated to cannot delegate further.")
            if ref in (seat_of(actor), (record.requested_by_ref or record.requested_by).lower()):
                raise Invalid(
                    "approvals.bad_delegate",
                    f"{ref} cannot decide in your place.",
                    hint="It has to be somebody else than you, and than the one who asks.",
                )
            if self._store.delegate(record.id, Delegation(place.seat, actor.name, ref, now)):
                detail = {"to": ref, "run": record.run_number}
                self._audit.record(actor, "approvals.request.delegate", f"approval:{record.id}", detail=detail)
                self._tell_delegate(record, actor, ref)
        return self.get(approval_id, actor)

    def _tell_delegate(self, record: ApprovalRecord, actor: Principal, ref: str) -> None:
        data = {
            "run": record.run_id,
            "number": record.run_number,
            "title": record.run_title,
            "to": ref,
            "owner": record.owner,
            "by_name": record.requested_by_name,
            "delegated_by_name": actor.name,
            "message": record.message or record.rule.reason,
            "expires_at": iso(record.expires_at),
        }
        self._events.publish("approval.delegated", record.id, data, actor=actor.id)

    def _place(self, record: ApprovalRecord, actor: Principal, now: datetime) -> Standing:
        place = standing(record, actor, now)
        if place.may:
            return place
        if place.code in ("not_pending", "decided"):
            raise Conflict(
                f"approvals.{place.code}", f"The request for run {record.run_number} is closed to you: {place.why_not}"
            )
        raise self._denied(actor, record, place.code, place.why_not)

    def _denied(self, actor: Principal, record: ApprovalRecord, code: str, why: str) -> Denied:
        detail = {"run": record.run_number, "reason": why}
        self._audit.record(actor, DECIDE, f"approval:{record.id}", outcome="denied", detail=detail)
        return Denied(f"approvals.{code}", f"You cannot decide this request: {why}")

    def _record(self, approval_id: str) -> ApprovalRecord:
        record = self._store.get(approval_id)
        if record is None:
            raise NotFound(
                "approvals.not_found",
                f"There is no request {approval_id!r:.100}.",
                hint="`flagstone approvals list` lists them.",
            )
        return record
