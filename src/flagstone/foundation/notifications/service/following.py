"""What happened in the platform, put into words for those whom it concerns."""

from __future__ import annotations

from collections.abc import Sequence

from flagstone.contracts.events import Event
from flagstone.foundation.notifications.model import Notification
from flagstone.foundation.notifications.service.notifier import Notifier

_BATCH = {"stopped": "stopped", "succeeded": "succeeded", "failed": "ended with failures", "cancelled": "cancelled"}


class Follower:
    """Handles events; the same one again tells nobody twice."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    @staticmethod
    def concerned(events: Sequence[Event]) -> list[Event]:
        """The events that somebody needs to be told of."""
        return [event for event in events if in_words(event) is not None]

    def heard(self, event: Event) -> None:
        """Tell about an event, when there is something to tell."""
        notification = in_words(event)
        if notification is not None:
            self._notifier.send(notification, key=event.id)


def in_words(event: Event) -> Notification | None:
    """The notification about an event; None for one that nobody needs to be told of."""
    of_approvals = {
        "approval.requested": _requested,
        "approval.delegated": _delegated,
        "approval.decided": _decided,
    }
    if event.type in of_approvals:
        return of_approvals[event.type](event)
    if event.type == "batch.changed" and event.data.get("state") in _BATCH:
        return _batch(event)
    # Of the many runs of a batch nobody is told one by one: the batch itself tells.
    if event.type == "run.changed" and event.data.get("trigger") == "batch":
        return None
    if event.type == "run.changed" and event.data.get("state") in ("failed", "succeeded"):
        return _ended(event)
    return None


def _requested(event: Event) -> Notification:
    run = f"Run {event.data['number']}"
    asked = event.data.get("of")
    return Notification(
        "approval.requested",
        f"Approval is asked for: {event.data['title']}",
        _text(event, "message") or f"{run} waits until it is approved or rejected.",
        f"/approvals/{event.subject}",
        to=tuple(str(ref) for ref in asked) if isinstance(asked, list) else (),
        without=(event.actor,),
        facts=_asked(event),
        owner=_text(event, "owner") or None,
    )


def _delegated(event: Event) -> Notification:
    run, by = f"Run {event.data['number']}", _text(event, "delegated_by_name")
    return Notification(
        "approval.requested",
        f"{by} asks you to decide: {event.data['title']}",
        _text(event, "message") or f"{run} waits for it; you may approve or reject in the place of {by}.",
        f"/approvals/{event.subject}",
        to=(_text(event, "to"),),
        without=(event.actor,),
        facts=_asked(event),
        owner=_text(event, "owner") or None,
    )


def _asked(event: Event) -> tuple[tuple[str, str], ...]:
    until = _text(event, "expires_at")[:16].replace("T", " ")
    facts = (
        ("Run", str(event.data["number"])),
        ("Asked by", _text(event, "by_name")),
        ("Delegated by", _text(event, "delegated_by_name")),
        ("Until", f"{until} UTC" if until else ""),
    )
    return tuple((label, value) for label, value in facts if value)


def _decided(event: Event) -> Notification:
    state = _text(event, "state")
    return Notification(
        "approval.decided",
        f"{state.capitalize()}: {event.data['title']}",
        _text(event, "comment"),
        f"/approvals/{event.subject}",
        accounts=(_text(event, "requested_by"),) if _text(event, "requested_by") else (),
        facts=(("Run", str(event.data["number"])), *((("By", by),) if (by := _text(event, "by_name")) else ())),
        owner=_text(event, "owner") or None,
    )


def _ended(event: Event) -> Notification:
    state, number = _text(event, "state"), event.data.get("number", event.subject)
    return Notification(
        f"run.{state}",
        f"Run {number} {state}: {event.data['title']}",
        path=f"/runs/{number}",
        accounts=(event.actor,),
        facts=(("Run", str(number)), ("State", state)),
        owner=_text(event, "owner") or None,
    )


def _batch(event: Event) -> Notification:
    state = _text(event, "state")
    failed, succeeded, total = (event.data.get(name) or 0 for name in ("failed", "succeeded", "total"))
    stopped = state == "stopped"
    return Notification(
        "batch.stopped" if stopped else "batch.ended",
        f"Batch {_BATCH[state]}: {event.data['title']}",
        "No more runs are started until somebody lets it go on." if stopped else "",
        f"/batches/{event.subject}",
        accounts=(event.actor,),
        without=(by,) if (by := _text(event, "by")) else (),
        facts=(("Entities", str(total)), ("Succeeded", str(succeeded)), ("Failed", str(failed))),
    )


def _text(event: Event, key: str) -> str:
    value = event.data.get(key)
    return value if isinstance(value, str) else ""
