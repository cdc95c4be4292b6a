"""What the forms of triggers share: reading them, and telling what is wrong at the field where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from flagstone.contracts.events import TRIGGERING
from flagstone.kernel.errors import FlagstoneError, Invalid, Problem
from flagstone.portal.golden_paths import GoldenPath
from flagstone.portal.schedules.model import Answer, answer_fields
from flagstone.portal.schedules.service import When
from flagstone.toolkit.web.forms import Pairs, parse_body
from flagstone.toolkit.web.forms.posted import MAX_BODY

COMMON = (
    ("0 6 * * 1-5", "Weekdays at 6:00"),
    ("0 2 * * *", "Every night at 2:00"),
    ("0 * * * *", "Every hour"),
    ("0 7 * * 1", "Mondays at 7:00"),
    ("0 5 1 * *", "The first of the month at 5:00"),
)
ANSWER = "in."
"""What the names of answers begin with in a form."""
_ROUNDS = 4
"""How deep fields may depend on others."""
_FIELDS = {"cron": "When", "timezone": "Time zone", "title": "Title", "event_type": "Event", "conditions": "Conditions"}


@dataclass(frozen=True, slots=True)
class EventHelp:
    """Types of events with the places that conditions and answers can name."""

    types: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
        (name, ("subject", "actor", *(f"data.{place}" for place in places))) for name, places in TRIGGERING.items()
    )


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form: ``problems`` above it, ``errors`` by field, ``error`` when no field is to blame."""

    problems: tuple[tuple[str, str, str], ...] = ()
    errors: Mapping[str, str] | None = None
    error: FlagstoneError | None = None


@dataclass(frozen=True, slots=True)
class FormPage:
    """A form about a trigger. ``path`` is what it runs, where answers are asked for."""

    when: When
    wrong: Wrong
    path: GoldenPath | None = None
    answers: tuple[Answer, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    draft: str = ""
    common: tuple[tuple[str, str], ...] = COMMON
    events: EventHelp = EventHelp()
    paths: tuple[GoldenPath, ...] = ()
    item: Any = None
    """The trigger that is changed; None for a new one."""


def told(error: FlagstoneError | None, answers: Sequence[Answer] = ()) -> Wrong:
    """What an error says, at the fields of the form where it can."""
    if error is None:
        return Wrong()
    names = {item.name: (f"{ANSWER}{item.name}", item.title) for item in answers}
    names |= {name: (name, title) for name, title in _FIELDS.items()}
    found: dict[str, tuple[str, str]] = {}
    for problem in error.problems:
        top = str(problem.field or "").split("/", 1)[0].removeprefix("inputs.")
        if top in names:
            name, title = names[top]
            found.setdefault(name, (title, str(problem.message)))
    listed = tuple((f"f-{name}", title, text) for name, (title, text) in found.items())
    errors = {name: text for name, (_, text) in found.items()}
    return Wrong(listed, errors, None if len(found) == len(error.problems) and found else error)


def texts_of(pairs: Pairs, path: GoldenPath) -> dict[str, str]:
    """The answers of a posted form as they were written; fields that depend on others are asked for by and by."""
    texts: dict[str, str] = {}
    for _ in range(_ROUNDS):
        names = [item.name for item in answer_fields(path, texts)]
        found = {name: pairs.last(ANSWER + name) or "" for name in names if pairs.last(ANSWER + name)}
        if found == texts:
            break
        texts = found
    return texts


def as_written(path: GoldenPath, values: Mapping[str, Any], texts: Mapping[str, str] | None) -> tuple[Answer, ...]:
    """The fields, with the texts that somebody wrote instead of what the values are."""
    fields = answer_fields(path, values)
    if texts is None:
        return fields
    return tuple(
        Answer(
            item.name, item.title, item.kind, item.help, item.required, texts.get(item.name, item.text), item.choices
        )
        for item in fields
    )


def unreadable(problems: Sequence[Problem]) -> Invalid:
    """Answers that cannot be read."""
    return Invalid("schedules.unreadable", "Some answers cannot be read.", problems=list(problems))


async def read_pairs(request: Request) -> Pairs:
    """The posted fields; no more is read than a form may hold."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return parse_body(bytes(body))
