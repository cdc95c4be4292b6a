"""A trigger, its due times, and whether an event fits it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from flagstone.contracts.events import Event
from flagstone.contracts.runs import RunRequest
from flagstone.contracts.triggers import MissedRuns, TriggerKind
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, Problem


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts runs. ``next_at`` is the due time that comes next, with its jitter; None: none, or paused.

    ``known_here``: the maker has an account on this server, so that their rights are looked up for each run.
    """

    id: str
    title: str
    kind: TriggerKind
    cron: str
    timezone: str
    jitter_seconds: int
    missed: MissedRuns
    event_type: str
    conditions: Mapping[str, Any]
    request: RunRequest
    principal: Principal
    known_here: bool
    paused: bool
    created_at: datetime
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_run: str | None = None
    last_error: str = ""

    def due_after(self, moment: datetime) -> datetime | None:
        """The first due time after a moment; None when there is none."""
        return next(self.due_times(moment), None)

    def due_times(self, moment: datetime) -> Iterator[datetime]:
        """Due times after a moment, in UTC.

        In the hour that the clock skips a run comes at its end; in the hour that it repeats there is one run, unless
        the expression names every hour.
        """
        if self.kind != "schedule":
            return
        late = timedelta(seconds=self._offset)
        start = (moment - late).astimezone(ZoneInfo(self.timezone))
        for found in CronSim(self.cron, start):
            yield found.astimezone(UTC) + late

    @property
    def _offset(self) -> int:
        if not self.jitter_seconds:
            return 0
        return int(hashlib.sha256(self.id.encode()).hexdigest()[:12], 16) % (self.jitter_seconds + 1)

    def fits(self, event: Event) -> bool:
        """Whether an event is one that it waits for."""
        if self.kind != "event" or self.event_type != event.type:
            return False
        seen = event.model_dump(mode="json")
        return all(_holds(_at(seen, place), wanted) for place, wanted in self.conditions.items())


@dataclass(frozen=True, slots=True)
class Fired:
    """One time that a trigger started something, or would have. ``key`` is unique for a due time or an event."""

    key: str
    trigger_id: str
    at: datetime
    event_type: str
    event_subject: str
    run_id: str | None
    error: str


def check_time(cron: str, timezone: str) -> None:
    """Raises Invalid for a cron expression that is none or never due, or a time zone that is not known."""
    problems: list[Problem] = []
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
        hint = "Write one such as Europe/Berlin or UTC."
        problems.append(Problem(f"there is no time zone {timezone!r:.100}", field="timezone", hint=hint))
    hint = 'Write minute, hour, day, month and weekday, such as "30 7 * * 1-5".'
    try:
        if len(cron.split()) != 5:
            problems.append(Problem("a schedule has five fields", field="cron", hint=hint))
        elif next(CronSim(cron, datetime.now(zone)), None) is None:
            problems.append(Problem("this never comes", field="cron", hint=hint))
    except CronSimError as error:
        problems.append(Problem(f"this is no cron expression: {error}", field="cron", hint=hint))
    if problems:
        raise Invalid("triggers.bad_time", "The schedule cannot be read.", problems=problems)


def _at(value: Any, place: str) -> Any:
    for part in place.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_holds(found, item) for item in wanted)
    if isinstance(wanted, str):
        return isinstance(found, str) and fnmatchcase(found, wanted)
    return bool(found == wanted)
