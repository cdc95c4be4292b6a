"""What people read of Protocol Buffers: services with methods, messages, enumerations. Never raises for their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from flagstone.portal.catalog.model.outline import MAX_TOKENS, Item, Outline, Section, outline_of
from flagstone.portal.catalog.model.schemas import MAX_FIELDS, Field

# Whatever is not closed ends with the line or the text, so that no text is looked through twice.
_TOKEN = re.compile(
    r"//[^\n]*|/\*(?:(?!\*/).)*+(?:\*/)?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'(?:[^'\\\n]|\\.)*+'?"
    r"|\.?[A-Za-z_][\w.]*|-?\d[\w.]*|\s+|.",
    re.DOTALL,
)
_LABELS = ("repeated", "optional", "required")
_PASSED_OVER = ("syntax", "edition", "import", "option", "reserved", "extensions")
_MAX_NESTED = 12
_OPENING = {"{": "}", "(": ")", "[": "]", "<": ">"}


@dataclass(slots=True)
class _Method:
    name: str
    request: str
    answer: str
    description: str
    deprecated: bool = False


@dataclass(slots=True)
class _Block:
    """A message, enumeration or service."""

    kind: str
    name: str
    description: str
    fields: list[Field] = field(default_factory=list)
    methods: list[_Method] = field(default_factory=list)


def read_protobuf(text: str) -> Outline | None:
    """Services, messages and enumerations; None when there is none of them."""
    parser = _Parser(text)
    parser.body("", 0)
    if not parser.blocks:
        return None
    messages = {block.name: block for block in parser.blocks if block.kind == "message"}
    groups: dict[str, list[Item]] = {}
    count = 0
    for block in parser.blocks:
        if block.kind == "service":
            count += len(block.methods)
            groups[f"Service {block.name}"] = [_method_item(method, messages) for method in block.methods]
    for kind, heading in (("message", "Messages"), ("enum", "Enumerations")):
        items = [_block_item(block) for block in parser.blocks if block.kind == kind]
        if items:
            groups[heading] = items
    return outline_of(groups, noun=("method", "methods"), count=count, title=parser.package)


def _method_item(method: _Method, messages: dict[str, _Block]) -> Item:
    sections = [
        Section(f"{word} {type_}", "", _fields_of(type_, messages))
        for word, type_ in (("Takes", method.request), ("Answers", method.answer))
    ]
    return Item(method.name, "rpc", method.description, "", method.deprecated, sections)


def _fields_of(type_: str, messages: dict[str, _Block]) -> list[Field]:
    """The fields of a message by the end of its name: packages and outer messages may be left out."""
    name = type_.removeprefix("stream ").lstrip(".")
    while name:
        if name in messages:
            return messages[name].fields
        name = name.partition(".")[2]
    return []


def _block_item(block: _Block) -> Item:
    title = "Values" if block.kind == "enum" else "Fields"
    return Item(
        block.name,
        block.kind,
        block.description,
        "",
        False,
        [Section(title, "", block.fields)] if block.fields else [],
    )


class _Parser:
    """Understands what it can, and passes over the rest."""

    def __init__(self, text: str) -> None:
        self._tokens = list(islice(_words(text), MAX_TOKENS))
        self._at = 0
        self._comment = ""
        self.package = ""
        self.blocks: list[_Block] = []

    def body(self, outer: str, depth: int, into: _Block | None = None, prefix: str = "") -> None:
        """What stands between brackets (or in the file) up to the closing one."""
        while self._peek() and self._peek() != "}":
            comment = self._comments()
            word = self._peek()
            if word in ("", "}"):
                break
            self._at += 1
            if word == "package":
                self.package = self._take()
                self._statement()
            elif word in ("message", "enum", "service") and self._is_name() and self._peek(1) == "{":
                self._block(word, outer, comment, depth)
            elif word == "oneof" and self._is_name() and self._peek(1) == "{":
                self._one_of(outer, depth, into)
            elif into is None or word in _PASSED_OVER:
                self._statement()
            elif word != ";":
                self._member(word, into, comment, prefix)

    def _one_of(self, outer: str, depth: int, into: _Block | None) -> None:
        name = self._take()
        self._at += 1
        if depth < _MAX_NESTED:
            self.body(outer, depth + 1, into, f"one of {name}")
            self._at += 1
        else:
            self._skip("}")

    def _member(self, word: str, into: _Block, comment: str, prefix: str) -> None:
        if word == "rpc" and self._is_name():
            into.methods.append(self._method(comment))
        elif into.kind == "enum":
            self._statement()
            into.fields.append(Field(word, "", "", False, comment))
        else:
            self._field(word, into, comment, prefix)

    def _block(self, kind: str, outer: str, comment: str, depth: int) -> None:
        name = self._take()
        self._at += 1
        if depth >= _MAX_NESTED:
            self._skip("}")
            return
        block = _Block(kind, f"{outer}.{name}" if outer else name, comment)
        self.blocks.append(block)
        self.body(block.name, depth + 1, block)
        self._at += 1

    def _method(self, comment: str) -> _Method:
        name = self._take()
        request = self._message()
        if self._peek() == "returns":
            self._at += 1
        answer = self._message()
        method = _Method(name, request, answer, comment)
        words = self._statement()
        method.deprecated = "deprecated" in words
        return method

    def _message(self) -> str:
        if self._peek() != "(":
            return ""
        self._at += 1
        words = []
        while self._peek() not in ("", ")", ";", "{", "}"):
            words.append(self._take())
        if self._peek() == ")":
            self._at += 1
        return " ".join(words)[:200]

    def _field(self, word: str, into: _Block, comment: str, prefix: str) -> None:
        label = ""
        if word in _LABELS:
            label, word = word, self._take()
        if word == "map" and self._peek() == "<":
            self._at += 1
            inside = []
            while self._peek() not in ("", ">", ";", "}"):
                inside.append(self._take())
            self._at += self._peek() == ">"
            word = f"map<{''.join(inside).replace(',', ', ')}>"
        name = self._take() if self._is_name() else ""
        words = self._statement()
        if name and len(into.fields) < MAX_FIELDS:
            type_ = f"list of {word}" if label == "repeated" else word
            about = " ".join(part for part in (comment, "Deprecated." if "deprecated" in words else "") if part)
            into.fields.append(Field(name, prefix, type_[:200], label == "required", about))

    def _statement(self) -> set[str]:
        """Pass over the rest of a statement, or over the block that it ends with. Returns its words."""
        start = self._at
        while self._peek() not in ("", "}"):
            part = self._take()
            if part == ";":
                break
            if part in ("{", "[", "("):
                self._skip(_OPENING[part])
                if part == "{":
                    break
        return set(self._tokens[start : self._at])

    def _skip(self, closing: str) -> None:
        waiting = [closing]
        while waiting and self._at < len(self._tokens):
            part = self._tokens[self._at]
            self._at += 1
            if part in _OPENING and part != "<":
                waiting.append(_OPENING[part])
            elif part == waiting[-1]:
                waiting.pop()

    def _comments(self) -> str:
        """The comment right before what follows."""
        found: list[str] = []
        while self._at < len(self._tokens) and self._tokens[self._at].startswith(("//", "/*")):
            found += [line.strip(" */\t") for line in self._tokens[self._at].splitlines()]
            self._at += 1
        return " ".join(line for line in found if line)[:2000]

    def _is_name(self) -> bool:
        token = self._peek()
        return bool(token) and (token[0].isalpha() or token[0] == "_")

    def _peek(self, ahead: int = 0) -> str:
        """The next token; comments in the middle of a statement are passed over, those before one are kept."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self) -> str:
        while self._peek().startswith(("//", "/*")):
            self._at += 1
        token = self._peek()
        self._at += 1
        return token


def _words(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.isspace():
            yield token
