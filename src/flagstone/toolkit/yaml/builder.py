"""From the text of one document to its value, over the events of libyaml.

Events, not libyaml's own composer: that one calls itself for every level and can be made to overrun the stack of the
whole process. Here depth, aliases, tags and keys are checked as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from flagstone.toolkit.yaml.scalars import plain_scalar

MAX_DEPTH = 50
MAX_EXPANDED_NODES = 10_000

JSON: TypeAlias = Any
Path: TypeAlias = tuple[str | int, ...]


class Refused(Exception):
    """A document that is well-formed YAML and still refused; ``line`` counts from 0 in its own text."""

    def __init__(self, message: str, line: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.hint = message, line, hint


def build(text: str, lines: dict[Path, int] | None = None) -> tuple[JSON, int]:
    """The value of the one document in a text, and the line, from 0, on which it begins.

    ``lines`` is filled with the line of every member when it is given. Raises Refused, or what libyaml raises.
    """
    # Only its events are used, not its constructors.
    parser = yaml.CSafeLoader(text)
    try:
        return _Builder(parser, lines).run()
    finally:
        parser.dispose()


class _Builder:
    def __init__(self, parser: Any, lines: dict[Path, int] | None) -> None:
        self._parser = parser
        self._lines = lines
        self._path: list[str | int] = []
        # Open lists and objects, the innermost last; for an object the key that waits for its value.
        self._open: list[JSON] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, JSON] = {}
        self._expanded = 0
        self._root: JSON = None
        self._line = 0

    def run(self) -> tuple[JSON, int]:
        next_event = self._parser.get_event
        while not isinstance(next_event(), yaml.DocumentStartEvent | yaml.StreamEndEvent):
            pass
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._start(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._start(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._open.pop()
                self._keys.pop()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            else:
                break
        if isinstance(next_event(), yaml.DocumentStartEvent):
            raise Refused("The document ends before its text does.", self._line, "Check the indentation.")
        return self._root, self._line

    def _scalar(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!":
            _refuse_tag(event)
        text = event.value
        if self._open and self._keys[-1] is None and type(self._open[-1]) is dict:
            self._key(text, event.start_mark.line)
            if event.anchor is not None:
                self._anchors[event.anchor] = text
            return
        value = plain_scalar(text) if event.implicit[0] and event.tag is None else text
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._put(value, event)

    def _key(self, key: str, line: int) -> None:
        if key in self._open[-1]:
            raise Refused(f"The key {key!r:.80} is there twice.", line, "Remove one of them.")
        self._keys[-1] = key
        if self._lines is not None:
            del self._path[len(self._open) - 1 :]
            self._path.append(key)
            self._lines[tuple(self._path)] = line

    def _put(self, value: JSON, event: Any) -> None:
        """Place a value in the innermost open list or object."""
        if not self._open:
            self._root, self._line = value, event.start_mark.line
            if self._lines is not None:
                self._lines[()] = self._line
            return
        parent = self._open[-1]
        if type(parent) is list:
            if self._lines is not None:
                del self._path[len(self._open) - 1 :]
                self._path.append(len(parent))
                self._lines[tuple(self._path)] = event.start_mark.line
            parent.append(value)
            return
        key = self._keys[-1]
        if key is None:
            hint = "A value that begins with { or [ needs quotes; an expression {{ … }} has to be rendered first."
            raise Refused("A key is not a text but a list or an object.", event.start_mark.line, hint)
        parent[key] = value
        self._keys[-1] = None

    def _start(self, event: Any, value: JSON) -> None:
        if event.tag is not None and event.tag != "!":
            _refuse_tag(event)
        if len(self._open) >= MAX_DEPTH:
            raise Refused(f"The document nests deeper than {MAX_DEPTH} levels.", event.start_mark.line, "Flatten it.")
        self._put(value, event)
        self._open.append(value)
        self._keys.append(None)
        if event.anchor is not None:
            self._anchors[event.anchor] = value

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line
        if event.anchor not in self._anchors:
            hint = "Define it with & before; a text that begins with * needs quotes."
            raise Refused(f"The alias *{event.anchor:.80} is not defined.", line, hint)
        value = self._anchors[event.anchor]
        if any(value is container for container in self._open):
            raise Refused(f"The alias *{event.anchor:.80} stands inside what it stands for.", line, "Remove it.")
        self._put(self._copy(value, len(self._open), line), event)

    def _copy(self, value: JSON, depth: int, line: int) -> JSON:
        self._expanded += 1
        if self._expanded > MAX_EXPANDED_NODES:
            message = f"The aliases (*) expand to more than {MAX_EXPANDED_NODES} values."
            raise Refused(message, line, "Write the values out, or use fewer aliases.")
        if not isinstance(value, list | Mapping):
            return value
        if depth >= MAX_DEPTH:
            raise Refused(f"The document nests deeper than {MAX_DEPTH} levels.", line, "Flatten it.")
        if isinstance(value, list):
            return [self._copy(item, depth + 1, line) for item in value]
        return {key: self._copy(item, depth + 1, line) for key, item in value.items()}


def _refuse_tag(event: Any) -> None:
    hint = "Remove it. A text that begins with ! needs quotes."
    raise Refused(f"The tag {event.tag!r:.80} is not supported.", event.start_mark.line, hint)
