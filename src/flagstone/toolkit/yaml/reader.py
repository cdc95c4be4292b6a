"""Reads files of many documents; each stands alone, so that one that is wrong does not take the others with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from flagstone.kernel.errors import Invalid, Problem
from flagstone.toolkit.yaml.builder import JSON, Path, Refused, build
from flagstone.toolkit.yaml.hints import hint_for

MAX_DOCUMENTS = 1_000
MAX_DOCUMENT_SIZE = 1_000_000

# By the specification a line that begins so ends a document wherever it stands, in quotes and block texts as well.
_BOUNDARY = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOTHING = re.compile(r"(?:[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)|%[^\n]*(?:\n|\Z))*\Z")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Document:
    """One document: ``value`` (plain JSON data) and ``line``, the line of its first value, from 1."""

    __slots__ = ("_first_line", "_lines", "_text", "line", "value")

    def __init__(self, value: JSON, line: int, text: str, first_line: int) -> None:
        self.value = value
        self.line = line
        self._text = text
        self._first_line = first_line
        self._lines: dict[Path, int] | None = None

    def line_of(self, path: Path) -> int | None:
        """The line of a member (of its key, where it has one), from 1; None when there is no such member."""
        if self._lines is None:
            self._lines = {}
            build(self._text, self._lines)
        line = self._lines.get(tuple(path))
        return None if line is None else self._first_line + line

    def __repr__(self) -> str:
        return f"Document(line={self.line})"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What could be read, and what is wrong with the rest."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def read_yaml(text: str | bytes, *, name: str) -> YamlFile:
    """Read all documents; empty ones are left out. Never raises: what is wrong is in ``problems``, with its line."""
    if isinstance(text, str):
        content = text
    else:
        try:
            content = text.decode()
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            problem = Problem("This is not text in UTF-8.", name, line, hint="Save the file in the encoding UTF-8.")
            return YamlFile((), (problem,))
    documents, problems = list[Document](), list[Problem]()
    for count, (chunk, first_line) in enumerate(_chunks(content.removeprefix("\ufeff"))):
        if count >= MAX_DOCUMENTS:
            message = f"The file has more than {MAX_DOCUMENTS} documents; the rest is not read."
            problems.append(Problem(message, name, first_line, hint="Put them into several files."))
            break
        try:
            document = _document(chunk, first_line)
        except Refused as fault:
            problems.append(Problem(fault.message, name, first_line + fault.line, hint=fault.hint))
        except (yaml.YAMLError, UnicodeError, RecursionError) as error:
            problems.append(_problem(error, chunk, first_line, name))
        else:
            if document is not None:
                documents.append(document)
    return YamlFile(tuple(documents), tuple(problems))


def load_documents(text: str | bytes, *, name: str) -> list[Document]:
    """All documents of a file that has to be right. Raises Invalid (``yaml.invalid``) with every problem in it."""
    file = read_yaml(text, name=name)
    if file.problems:
        raise Invalid("yaml.invalid", f"{name} is not valid YAML.", problems=file.problems)
    return list(file.documents)


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """The text of each document and the line, from 1, on which that text begins."""
    start, line = 0, 1
    for found in _BOUNDARY.finditer(text):
        yield from _chunk(text[start : found.start()], line)
        line += text.count("\n", start, found.start())
        start = found.start() if found.group() == "---" else found.end()
    yield from _chunk(text[start:], line)


def _chunk(text: str, line: int) -> Iterator[tuple[str, int]]:
    if _NOTHING.match(text.removeprefix("---")) is None:
        yield text, line


def _document(text: str, first_line: int) -> Document | None:
    if len(text) > MAX_DOCUMENT_SIZE:
        raise Refused(f"The document is larger than {MAX_DOCUMENT_SIZE} characters.", 0, "Split it into smaller ones.")
    value, line = build(text)
    return None if value is None else Document(value, first_line + line, text, first_line)


def _problem(error: Exception, text: str, first_line: int, name: str) -> Problem:
    unprintable = _UNPRINTABLE.search(text)
    if isinstance(error, yaml.reader.ReaderError | UnicodeError) and unprintable:
        line = text.count("\n", 0, unprintable.start())
        message = f"The character {unprintable.group()!r} is not allowed."
        return Problem(message, name, first_line + line, hint="Remove it; a file that is not text can not be read.")
    message = str(getattr(error, "problem", None) or "The document can not be read.")
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context", None)
    opened = "unexpected end of stream" in message or "document indicator" in message or "',' or" in message
    if opened and getattr(error, "context_mark", None) is not None:
        mark = getattr(error, "context_mark", None)
    last = text.rstrip().count("\n")
    line = min(mark.line, last) if mark is not None else 0
    lines = text.split("\n", line + 1)
    hint = hint_for(message, lines[line] if line < len(lines) else "")
    said = f"{message[:1].upper()}{message[1:]}" + (f" {context}" if context else "") + "."
    return Problem(said, name, first_line + line, hint=hint)
