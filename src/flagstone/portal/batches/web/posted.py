"""The form of a new batch as it is posted from page to page: nothing is kept on the server before it starts.

Names that begin with an underscore are the form's own; all others are those of the golden path's fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pydantic import SecretStr

from flagstone.contracts.batches import MAX_AT_ONCE, MAX_ITEMS
from flagstone.kernel.ids import new_id
from flagstone.portal.batches.model import Answers, BatchOptions, EntityQuery
from flagstone.portal.golden_paths import GoldenPath
from flagstone.toolkit.web.forms import Pairs, parse, settle

OTHER = "other"
"""The choice of a place that is typed."""
FORM = "form"
"""The choice of what the form itself takes from an entity."""
SECRETS = "_secret."
"""What the names of fields for secrets begin with."""
_ROUNDS = 4
"""How deep fields may depend on others."""
_BOUNDS = {"at_once": (1, MAX_AT_ONCE), "stop_after_failures": (0, MAX_ITEMS)}


@dataclass(frozen=True, slots=True)
class Posted:
    """What a form says. ``faults`` are messages by the name of its own fields."""

    template: str
    query: EntityQuery
    answers: Answers
    title: str = ""
    at_once: str = "5"
    stop_after_failures: str = "1"
    leave_out: bool = False
    digest: str = ""
    key: str = field(default_factory=new_id)
    operation: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> BatchOptions:
        """How it shall go, when there is no fault."""
        return BatchOptions(
            title=self.title, at_once=int(self.at_once), stop_after_failures=int(self.stop_after_failures)
        )

    @property
    def asked(self) -> str:
        """The entities as a query string."""
        return urlencode(self.query.pairs)

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """The whole form as hidden fields."""
        return (
            ("_template", self.template),
            ("_query", self.asked),
            ("_values", json.dumps(dict(self.answers.fixed), default=str)),
            ("_mapped", json.dumps(dict(self.answers.mapped))),
            ("_title", self.title),
            ("_at_once", self.at_once),
            ("_stop_after_failures", self.stop_after_failures),
            ("_key", self.key),
        )


def names_of(path: GoldenPath, values: Mapping[str, Any]) -> list[str]:
    """Names of the fields that a form asks for, with these answers."""
    return list(dict.fromkeys(name for page in path.pages for name in settle(page, values)[0]["properties"]))


def read_posted(pairs: Pairs, path: GoldenPath) -> Posted:
    """Read a posted form. Raises Invalid for a query that cannot be read."""
    fixed, mapped = _object(pairs.last("_values")), _object(pairs.last("_mapped"))
    if pairs.last("_mapped") is None:
        fixed, mapped = _drawn(pairs, path, fixed)
    query = EntityQuery.of_pairs(parse_qsl(pairs.last("_query") or ""))
    faults = {name: text for name in _BOUNDS if (text := _fault(name, pairs.last(f"_{name}") or ""))}
    return Posted(
        template=pairs.last("_template") or "",
        query=query.model_copy(update={"without": (*query.without, *pairs.all("_without"))[:MAX_ITEMS]}),
        answers=Answers(fixed, {name: str(place) for name, place in mapped.items()}),
        title=(pairs.last("_title") or "").strip()[:200],
        at_once=(pairs.last("_at_once") or "").strip() or "5",
        stop_after_failures=(pairs.last("_stop_after_failures") or "").strip() or "1",
        leave_out=pairs.last("_leave_out") == "1",
        digest=pairs.last("_digest") or "",
        key=(pairs.last("_key") or "")[:100] or new_id(),
        operation=pairs.last("_op") or "",
        faults=faults,
    )


def read_secrets(pairs: Pairs) -> dict[str, SecretStr]:
    """The secrets that came along. They are no part of :class:`Posted`: nothing draws them again."""
    return {name: SecretStr(text) for name, text in pairs.under(SECRETS).items() if text}


def _drawn(pairs: Pairs, path: GoldenPath, before: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers and places of the page where they are filled in; which fields there are depends on the answers."""
    values = dict(before)
    for _ in range(_ROUNDS):
        found = dict(values)
        for page in path.pages:
            found = parse(page, pairs, found).values
        if found == values:
            break
        values = found
    values = _operated(pairs, path, values)
    settled: dict[str, Any] = dict(values)
    for page in path.pages:
        settled |= settle(page, settled)[1]
    fixed: dict[str, Any] = {}
    mapped: dict[str, Any] = {}
    for name in dict.fromkeys([*names_of(path, values), *values]):
        place = pairs.last(f"_from.{name}")
        if place == OTHER:
            mapped[name] = (pairs.last(f"_place.{name}") or "").strip()[:300]
        elif place and place != FORM:
            mapped[name] = place[:300]
        elif not place and (name in values or place is not None):
            # Also one that was left empty: what the entity says must not take its place.
            fixed[name] = settled.get(name)
    return fixed, mapped


def _operated(pairs: Pairs, path: GoldenPath, values: dict[str, Any]) -> dict[str, Any]:
    """Do what a button of a growing list asked for, on the page that has the list."""
    operation = pairs.last("_op") or ""
    name = operation.partition(":")[2].partition("/")[0].replace("~1", "/").replace("~0", "~")
    for page in path.pages:
        if name and name in settle(page, values)[0]["properties"]:
            return parse(page, pairs, values, operation).values
    return values


def _fault(name: str, text: str) -> str:
    low, high = _BOUNDS[name]
    number = int(text) if text.strip().isdecimal() and len(text) < 9 else -1
    return "" if not text.strip() or low <= number <= high else f"Write a whole number from {low} to {high}."


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
