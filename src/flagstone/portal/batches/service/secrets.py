"""The secrets that the runs of a batch need: which are asked for, and the stars that stand for them in answers.

A value is never here: it is given with the start and goes straight to the platform.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from flagstone.kernel.errors import Invalid, Problem
from flagstone.portal.batches.model import Answers, AskedSecret, Place, at_place, put_at
from flagstone.portal.golden_paths import GoldenPath
from flagstone.toolkit.web.forms import Field, fields, flat, secret_faults
from flagstone.toolkit.web.forms.names import split
from flagstone.toolkit.web.forms.posted import STARS

_LEAST = 8


class SecretFields:
    """What the entities of one preview ask for together. ``given`` are the names that there will be a value for."""

    def __init__(self, path: GoldenPath, given: Collection[str] = ()) -> None:
        self._path = path
        self._given = frozenset(given)
        # Drawing the form for each entity takes its time; most golden paths have no such field.
        self._any = any(word in json.dumps(path.pages, default=str) for word in ('"Secret"', "secretsKey"))
        self._found = {item.name: item for item in _of_schema(path)}

    @property
    def asked(self) -> tuple[AskedSecret, ...]:
        """All that were asked for so far."""
        return tuple(self._found.values())

    @property
    def named(self) -> dict[str, SecretStr]:
        """The names of all, and of those that are given besides, with no value: that is what a plan is made with."""
        return {name: SecretStr("") for name in (*self._found, *self._given)}

    def starred(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[Place]]:
        """The answers with stars for secrets, as the form of a single run keeps them, and where those may stand."""
        found, places = dict(values), set[Place]()
        for item in self._fields(values):
            asked = _asked(item)
            before = self._found.get(asked.name, asked)
            self._found[asked.name] = before if before.required else asked
            if item.widget == "secret":
                place = tuple(split(item.name))
                places.add(place)
                least = item.rule.get("minLength")
                stars = STARS * max(_LEAST, least if isinstance(least, int) else 0)
                found = put_at(found, place, stars if item.required or asked.name in self._given else None)
        return found, frozenset(places)

    def check_answers(self, answers: Answers) -> None:
        """Raise Invalid (``batches.secret_as_answer``) for a secret where it would be kept and shown."""
        wrong = []
        for item in self._fields(answers.fixed):
            place = tuple(split(item.name))
            text = at_place(answers.fixed, place)
            if item.widget == "secret" and (str(text or "").strip(STARS) or place[0] in answers.mapped):
                wrong.append(item.label)
        if wrong:
            raise Invalid(
                "batches.secret_as_answer",
                f"A secret is no answer, because answers are kept and shown: {', '.join(dict.fromkeys(wrong))}.",
                hint="Give it once for all runs, under `secrets`.",
            )

    def _fields(self, values: Mapping[str, Any]) -> Iterator[Field]:
        for page in self._path.pages if self._any else ():
            yield from (item for item in flat(fields(page, values)) if item.widget == "secret" or item.token_name)


def check_secrets(path: GoldenPath, asked: Collection[AskedSecret], secrets: Mapping[str, SecretStr]) -> None:
    """Raise Invalid (``batches.bad_secrets``) with every one that is missing or does not fit; never with a value."""
    given = {name: text for name, value in secrets.items() if (text := value.get_secret_value())}
    wrong = {item.name: "This secret is missing." for item in asked if item.required and item.name not in given}
    wrong |= {fault.name: fault.message for fault in secret_faults(path.secrets_schema, given)}
    if wrong:
        raise Invalid(
            "batches.bad_secrets",
            f"The secrets are not those that {path.title} asks for.",
            hint="Give each once, for all runs. Nothing was started.",
            problems=[Problem(message, field=f"secrets.{name}".rstrip(".")) for name, message in wrong.items()],
        )


def _of_schema(path: GoldenPath) -> Iterator[AskedSecret]:
    schema = path.secrets_schema or {}
    rules, required = schema.get("properties"), schema.get("required")
    needed = [str(name) for name in required] if isinstance(required, list) else []
    known = rules if isinstance(rules, Mapping) else {}
    for name in dict.fromkeys([*map(str, known), *needed]):
        rule = known.get(name)
        told = rule if isinstance(rule, Mapping) else {}
        yield AskedSecret(name, str(told.get("title") or name), str(told.get("description") or ""), name in needed)


def _asked(item: Field) -> AskedSecret:
    if item.token_name:
        return AskedSecret(item.token_name, f"Access token for {item.label}", "Without one, the platform's is used.")
    # A template knows it by the name of the field, wherever in the form it stands.
    return AskedSecret(split(item.name)[-1], item.label, item.help, item.required)
