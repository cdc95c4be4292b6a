"""From the files of a snapshot to drafts and problems: YAML, placeholders, validation. Reads beside, writes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flagstone.kernel.errors import FlagstoneError, Problem
from flagstone.portal.catalog.model.documents import FileOrigin, children_of, draft_of, ref_of
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.model.rules import Rules
from flagstone.portal.catalog.model.validation import Fault, Path, validate
from flagstone.sdk import EntitySource, SourceContext, SourceFile, SourceSnapshot
from flagstone.toolkit.yaml import Document, read_yaml

_PLACEHOLDERS = ("$text", "$json", "$yaml")
_BOUNDARY = re.compile(r"(?:---|\.\.\.)(?=\s|\Z)")
_MAX_INCLUDES = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """A problem on its way into the catalog."""

    code: str
    problem: Problem
    entity_ref: str | None = None
    level: str = "error"
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A location that a Location entity names."""

    type: str
    target: str
    presence: str


@dataclass(slots=True)
class Parsed:
    """What a snapshot holds. What is kept is what the snapshot cannot speak about because a part of it is broken."""

    drafts: list[Draft] = field(default_factory=list)
    problems: list[Found] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    kept_refs: set[str] = field(default_factory=set)
    kept_paths: set[str] = field(default_factory=set)
    keep_all: bool = False
    keep_children: bool = False
    includes: list[tuple[str, str, str]] = field(default_factory=list)


class DocumentReader:
    """Reads the documents of one snapshot. Made anew for each."""

    def __init__(
        self,
        source: EntitySource,
        ctx: SourceContext,
        kinds: KindRegistry,
        origin_ref: str,
        rules: Rules | None = None,
    ) -> None:
        self._source = source
        self._ctx = ctx
        self._kinds = kinds
        self._origin_ref = origin_ref
        self._rules = rules or Rules()
        self._parsed = Parsed()
        self._seen: dict[str, str] = {}
        self._beside: dict[tuple[str, str], bytes] = {}

    def read(self, snapshot: SourceSnapshot) -> Parsed:
        """All files. Never raises for what is in them."""
        for problem in snapshot.problems:
            self._parsed.problems.append(Found("catalog.unreadable", problem))
            if problem.file is None:
                self._parsed.keep_all = True
            else:
                self._parsed.kept_paths.add(problem.file)
            self._parsed.keep_children = True
        for file in snapshot.files:
            self._file(file)
        return self._parsed

    def _file(self, file: SourceFile) -> None:
        name = file.location.partition(":")[2]
        content = read_yaml(file.content, name=name)
        for problem in content.problems:
            self._parsed.problems.append(Found("catalog.yaml", problem))
            self._parsed.kept_paths.add(file.path)
            self._parsed.keep_children = True
        lines = file.content.decode("utf-8", "replace").splitlines() if content.documents else []
        for document in content.documents:
            self._document(document, file, name, lines)

    def _document(self, document: Document, file: SourceFile, name: str, lines: Sequence[str]) -> None:
        value, faults = self._placeholders(document.value, file)
        faults = [*faults, *validate(value, self._kinds)]
        ref = ref_of(value)
        if faults:
            self._broken(document, file, name, ref, faults)
            return
        if not self._rules.allows(value, self._origin_ref):
            fault = Fault(
                "catalog.forbidden_kind",
                f"{value['kind']} entities may not come from {self._origin_ref}.",
                ("kind",),
                "Move it to a location that may bring them, or have an administrator extend catalog.rules.",
            )
            self._parsed.problems.append(Found(fault.code, problem_of(fault, document, name), ref))
            return
        origin = FileOrigin(file.location, self._origin_ref, file.path, file.commit, file.view_url, file.edit_url)
        text = _source_text(lines, document.line)
        draft = draft_of(value, self._kinds, origin, line=document.line, source_text=text)
        if draft.ref in self._seen:
            problem = Problem(
                f"{draft.ref} is declared a second time.",
                name,
                document.line,
                "metadata.name",
                f"It is declared at {self._seen[draft.ref]}, too. Rename one of them, or remove it.",
            )
            self._parsed.problems.append(Found("catalog.duplicate", problem, draft.ref, "warning"))
            return
        self._seen[draft.ref] = f"{name}:{document.line}"
        self._parsed.drafts.append(draft)
        if value["kind"] == "Location":
            self._children(document, value, file, name, draft.ref)

    def _broken(
        self, document: Document, file: SourceFile, name: str, ref: str | None, faults: Sequence[Fault]
    ) -> None:
        if ref is None:
            self._parsed.kept_paths.add(file.path)
            self._parsed.keep_children = True
        else:
            self._parsed.kept_refs.add(ref)
            self._parsed.keep_children |= ref.startswith("location:")
        for fault in faults:
            self._parsed.problems.append(Found(fault.code, problem_of(fault, document, name), ref))

    def _children(self, document: Document, value: Any, file: SourceFile, name: str, ref: str) -> None:
        for child in children_of(value):
            type_ = child.type or self._source.type
            try:
                target = self._child_target(type_, child.target, file)
            except FlagstoneError as error:
                fault = Fault(error.code, error.message, child.path, error.hint)
                self._parsed.problems.append(Found(error.code, problem_of(fault, document, name), ref))
                self._parsed.keep_children = True
                continue
            self._parsed.children.append(Child(type_, target, child.presence))

    def _child_target(self, type_: str, target: str, file: SourceFile) -> str:
        if type_ == self._source.type:
            return self._source.resolve(file.location.partition(":")[2], target)
        if type_ == "file":
            # What somebody else's file says must not choose what is read on this machine.
            raise _Refused("A Location entity may name files of this machine only from a file of this machine.")
        return target

    def _placeholders(self, value: Any, file: SourceFile) -> tuple[Any, list[Fault]]:
        faults: list[Fault] = []

        def resolve(item: Any, path: Path) -> Any:
            if isinstance(item, dict):
                if len(item) == 1:
                    (key,) = item
                    if key in _PLACEHOLDERS:
                        try:
                            return self._replace(key, item[key], file)
                        except FlagstoneError as error:
                            faults.append(Fault("catalog.placeholder", error.message, (*path, key), error.hint))
                            return ""
                return {key: resolve(part, (*path, key)) for key, part in item.items()}
            if isinstance(item, list):
                return [resolve(part, (*path, number)) for number, part in enumerate(item)]
            return item

        return resolve(value, ()), faults

    def _replace(self, key: str, path: Any, file: SourceFile) -> Any:
        if not isinstance(path, str) or not path:
            raise _Refused(f"{key} needs the path of a file.")
        content = self._read_beside(file.location, path)
        if key == "$yaml":
            found = read_yaml(content, name=path)
            if found.problems:
                raise _Refused(f"{path} is not valid YAML: {found.problems[0].message}")
            if len(found.documents) != 1:
                raise _Refused(f"{path} must hold exactly one document, not {len(found.documents)}.")
            return found.documents[0].value
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise _Refused(f"{path} is not text in UTF-8.") from None
        if key == "$text":
            return text
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _Refused(f"{path} is not valid JSON: {error}.") from error

    def _read_beside(self, location: str, path: str) -> bytes:
        key = (location, path)
        if key not in self._beside:
            if len(self._beside) >= _MAX_INCLUDES:
                raise _Refused(f"More than {_MAX_INCLUDES} files are included.")
            content = self._source.read_beside(location, path, self._ctx)
            self._beside[key] = content
            self._parsed.includes.append((location, path, digest_of_bytes(content)))
        return self._beside[key]


class _Refused(FlagstoneError):
    """A fault of a document, told as an error."""

    def __init__(self, message: str) -> None:
        super().__init__("catalog.refused", message)


def digest_of_bytes(content: bytes) -> str:
    """A digest of a file."""
    return hashlib.sha256(content).hexdigest()


def problem_of(fault: Fault, document: Document, name: str) -> Problem:
    """A fault with the line that it stands on."""
    line = None
    for end in range(len(fault.path), -1, -1):
        line = document.line_of(fault.path[:end]) if end else document.line
        if line is not None:
            break
    return Problem(fault.message, name, line, fault.field or None, fault.hint)


def _source_text(lines: Sequence[str], line: int) -> str:
    """The text of the document whose first value stands on a line."""
    start = end = max(line - 1, 0)
    while start > 0 and not _BOUNDARY.match(lines[start - 1]):
        start -= 1
    while end < len(lines) and (end == start or not _BOUNDARY.match(lines[end])):
        end += 1
    return "\n".join(lines[start:end]).strip("\n") + "\n"
