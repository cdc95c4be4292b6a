"""What people read of a GraphQL schema: queries, mutations, subscriptions, types. Never raises for its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from textwrap import dedent

from flagstone.portal.catalog.model.outline import MAX_TOKENS, Item, Outline, Section, outline_of
from flagstone.portal.catalog.model.schemas import MAX_FIELDS, Field

# Whatever is not closed ends with the line or the text, so that no text is looked through twice.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*'
    r"|[_A-Za-z][_0-9A-Za-z]*|-?[0-9][0-9.eE+-]*|\.\.\.|[!$&()\[\]{}:=@|]|[\s,\ufeff]+|.",
    re.DOTALL,
)
_ROOTS = {"query": "Queries", "mutation": "Mutations", "subscription": "Subscriptions"}
_GROUPS = {
    "type": "Types",
    "interface": "Interfaces",
    "input": "Inputs",
    "enum": "Enumerations",
    "union": "Unions",
    "scalar": "Scalars",
}
_OPENING = {"(": ")", "{": "}", "[": "]"}


@dataclass(slots=True)
class _Member:
    name: str
    type: str = ""
    description: str = ""
    deprecated: bool = False
    arguments: list[Field] = field(default_factory=list)


@dataclass(slots=True)
class _Type:
    kind: str
    name: str
    description: str
    members: list[_Member] = field(default_factory=list)
    note: str = ""


def read_graphql(text: str) -> Outline | None:
    """The fields of the root types, and all types; None when there is no type in it."""
    parser = _Parser(text)
    parser.document()
    types = parser.types
    if not types:
        return None
    roots = parser.roots or {name: name.capitalize() for name in _ROOTS}
    groups: dict[str, list[Item]] = {}
    count = 0
    for role, heading in _ROOTS.items():
        root = types.get(roots.get(role, ""))
        if root is not None:
            groups[heading] = [_operation(member, role, types) for member in root.members]
            count += len(root.members)
    for found in types.values():
        if found.name not in roots.values():
            groups.setdefault(_GROUPS[found.kind], []).append(_type_item(found))
    return outline_of(groups, noun=("operation", "operations"), count=count)


def _operation(member: _Member, role: str, types: dict[str, _Type]) -> Item:
    returned = types.get(member.type.strip("[]!"))
    sections = [Section("Arguments", "", member.arguments)] if member.arguments else []
    sections.append(Section(f"Answers {member.type}", "", _fields(returned) if returned else []))
    return Item(member.name, role, member.description, "", member.deprecated, sections)


def _type_item(found: _Type) -> Item:
    title = "Values" if found.kind == "enum" else "Fields"
    sections = [Section(title, "", _fields(found))] if found.members else []
    return Item(found.name, found.kind, found.description or found.note, "", False, sections)


def _fields(found: _Type) -> list[Field]:
    shown = []
    for member in found.members[:MAX_FIELDS]:
        type_ = member.type
        if member.arguments:
            type_ = f"({', '.join(f'{item.name}: {item.type}' for item in member.arguments[:8])}) → {type_}"
        shown.append(Field(member.name, "", type_, member.type.endswith("!"), member.description))
    return shown


class _Parser:
    """Understands what it can of a schema, and passes over the rest."""

    def __init__(self, text: str) -> None:
        self._tokens = list(islice(_words(text), MAX_TOKENS))
        self._at = 0
        self.types: dict[str, _Type] = {}
        self.roots: dict[str, str] = {}

    def document(self) -> None:
        """Everything up to the end."""
        while self._peek():
            description = self._description()
            word = self._take()
            if word == "extend":
                word = self._take()
            if word == "schema":
                self._schema()
            elif word in _GROUPS and _is_name(self._peek()):
                self._definition(word, description)
            elif word in _OPENING:
                self._skip(_OPENING[word])

    def _schema(self) -> None:
        self._directives()
        if self._peek() == "{":
            for member in self._members():
                self.roots[member.name] = member.type

    def _definition(self, kind: str, description: str) -> None:
        name = self._take()
        found = self.types.setdefault(name, _Type(kind, name, description))
        if self._peek() == "implements":
            self._take()
            names = []
            while self._peek() == "&" or (_is_name(self._peek()) and self._peek() not in _GROUPS):
                names.append(self._take())
            found.note = "implements " + ", ".join(name for name in names if name != "&")
        self._directives()
        if kind == "union" and self._peek() == "=":
            self._take()
            parts: list[str] = []
            while self._peek() == "|" or (_is_name(self._peek()) and (not parts or parts[-1] == "|")):
                parts.append(self._take())
            found.note = " | ".join(part for part in parts if part != "|")
        elif self._peek() == "{":
            found.members += self._members(values=kind == "enum")

    def _members(self, closing: str = "}", *, values: bool = False) -> list[_Member]:
        """What stands between brackets: fields, arguments or values."""
        self._take()
        found: list[_Member] = []
        while self._peek() and self._peek() != closing:
            description = self._description()
            name = self._take()
            if not _is_name(name):
                if name in _OPENING:
                    self._skip(_OPENING[name])
                continue
            member = _Member(name, description=description)
            if self._peek() == "(" and closing != ")":
                member.arguments = [
                    Field(one.name, "", one.type, one.type.endswith("!"), one.description)
                    for one in self._members(")")[:MAX_FIELDS]
                ]
            if self._peek() == ":" and not values:
                self._take()
                member.type = self._type()
            if self._peek() == "=":
                self._take()
                first = self._take()
                if first in _OPENING:
                    self._skip(_OPENING[first])
            member.deprecated = self._directives()
            found.append(member)
        self._take()
        return found

    def _type(self) -> str:
        parts = []
        while self._peek() == "[":
            parts.append(self._take())
        if _is_name(self._peek()):
            parts.append(self._take())
        while self._peek() in ("]", "!"):
            parts.append(self._take())
        return "".join(parts)[:200]

    def _directives(self) -> bool:
        """Pass over directives; whether one says that this is deprecated."""
        deprecated = False
        while self._peek() == "@":
            self._take()
            deprecated |= self._take() == "deprecated"
            if self._peek() == "(":
                self._take()
                self._skip(")")
        return deprecated

    def _description(self) -> str:
        text = ""
        while self._peek().startswith('"'):
            token = self._take()
            text = dedent(token.strip('"')).strip()
        return text[:2000]

    def _skip(self, closing: str) -> None:
        waiting = [closing]
        while waiting and self._peek():
            token = self._take()
            if token in _OPENING:
                waiting.append(_OPENING[token])
            elif token == waiting[-1]:
                waiting.pop()

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token


def _words(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.startswith("#") and token.strip(" \t\r\n,\ufeff\f\v"):
            yield token


def _is_name(token: str) -> bool:
    return bool(token) and (token[0].isalpha() or token[0] == "_")
