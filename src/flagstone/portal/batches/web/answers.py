"""The second page of a new batch: where the answers come from, and how it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.batches.model import PLACES, Answers
from flagstone.portal.batches.web.parts import STEPS, Parts, short
from flagstone.portal.batches.web.posted import FORM, OTHER, Posted
from flagstone.portal.golden_paths import GoldenPath
from flagstone.toolkit.web.forms import Field, Row, problems

_EXAMPLES = 3
_OPTION_LABELS = {"at_once": "Runs at once", "stop_after_failures": "Stop after failures"}


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of the golden path: the same answer for all (``place`` empty), or one out of each entity."""

    field: Field
    src: str
    place: str
    typed: str
    """The place that was typed, where it is none of those that are offered."""
    choices: tuple[tuple[str, str], ...]
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the field."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class AnswersPage:
    """The answers, and how the batch goes."""

    path: GoldenPath
    posted: Posted
    lines: tuple[FieldLine, ...]
    labels: Mapping[str, str]
    count: int
    sample: tuple[str, ...]
    secret: tuple[str, ...] = ()
    """Labels of the secrets that are asked for later."""
    problems: tuple[tuple[str, str, str], ...] = ()
    error: FlagstoneError | None = None
    steps: tuple[str, ...] = STEPS


def answers_page(
    parts: Parts,
    principal: Principal,
    path: GoldenPath,
    posted: Posted,
    *,
    checked: bool = False,
    error: FlagstoneError | None = None,
) -> AnswersPage:
    """``checked``: everything that is wrong is said. Raises Invalid when no entity is found, or too many."""
    previews = parts.previews
    rows = previews.find(principal, posted.query)
    filled = previews.filled(path, rows, {})
    samples = [previews.sample(path, row, posted.answers) for row in rows[:_EXAMPLES]]
    said = previews.faults(path, samples[0]) if checked else {}
    lines: dict[str, FieldLine] = {}
    for number, page in enumerate(path.pages):
        for item in _open(parts.pickers.drawn(path, page, principal, samples[0], said)):
            lines.setdefault(item.name, _line(path, number, item, posted.answers, filled, samples))
    common = tuple(line.field for line in lines.values() if not line.place)
    wrong = {name: text for name, text in said.items() if name.partition("/")[0] in {item.name for item in common}}
    options = tuple((f"f-_{name}", _OPTION_LABELS[name], text) for name, text in posted.faults.items())
    return AnswersPage(
        path=path,
        posted=posted,
        lines=tuple(lines.values()),
        labels=parts.pickers.labels(parts.pickers.refs_in(common)),
        count=len(rows),
        sample=tuple(row.title for row in rows[:_EXAMPLES]),
        secret=tuple(item.label for item in previews.asked(path, samples[0])),
        problems=(*problems(common, wrong, {}, "batch-form"), *options) if checked else (),
        error=error,
    )


def _open(drawn: Iterable[Field]) -> Iterator[Field]:
    """The fields without what takes a secret, at any depth: that is asked for when the batch starts."""
    for item in drawn:
        if item.widget != "secret":
            settings = {key: value for key, value in item.settings.items() if key != "requestUserCredentials"}
            rows = tuple(Row(row.name, tuple(_open(row.fields))) for row in item.rows)
            yield replace(item, settings=settings, fields=tuple(_open(item.fields)), rows=rows)


def _line(
    path: GoldenPath,
    number: int,
    item: Field,
    answers: Answers,
    filled: frozenset[str],
    samples: Sequence[Mapping[str, Any]],
) -> FieldLine:
    place = answers.mapped.get(item.name, FORM if item.name in filled and item.name not in answers.fixed else "")
    known = {FORM, *(name for name, _ in PLACES)}
    typed = place if place and place not in known else ""
    own = (OTHER, "another place in it")
    form = ((FORM, "each entity, by the form"),) if item.name in filled else ()
    return FieldLine(
        field=item,
        src=f"{path.href}/_options?{urlencode({'page': number})}",
        place=OTHER if typed or (item.name in answers.mapped and not place) else place,
        typed=typed,
        choices=(("", "the same for all"), *form, *((name, f"each entity: {words}") for name, words in PLACES), own),
        examples=tuple(short(sample.get(item.name)) for sample in samples) if place else (),
    )
