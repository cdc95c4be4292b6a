"""Judging entity files without a server or a database: what ``flagstone catalog validate`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from flagstone.kernel.errors import FlagstoneError, Invalid, Problem, Unavailable
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.declared import DeclaredKinds, read_kinds
from flagstone.portal.catalog.service.documents import Child, DocumentReader
from flagstone.sdk import EntityKind, EntitySource, SourceContext

_MAX_LOCATIONS = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entities are valid, and what is wrong."""

    entities: int
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def judge(
    targets: Sequence[str], kinds: Iterable[EntityKind], kind_files: Sequence[str], source: EntitySource
) -> Verdict:
    """Read absolute paths, and the files that their Location entities name. Never raises for what is in them."""
    registry = KindRegistry(kinds)
    errors: list[Problem] = []
    warnings: list[Problem] = []
    try:
        DeclaredKinds(read_kinds(kind_files)).add_to(registry)
    except Invalid as error:
        errors += error.problems
    ctx = SourceContext(
        allowed_roots=["/"],
        fetch=_offline,
        read_repository_file=_offline,
        list_repository_tree=_offline,
        repository_head=_offline,
    )
    declared: dict[str, str] = {}
    seen: set[str] = set()
    waiting = list(targets)
    while waiting and len(seen) < _MAX_LOCATIONS:
        target = waiting.pop(0)
        if target in seen:
            continue
        seen.add(target)
        try:
            snapshot = source.read(target, ctx)
        except FlagstoneError as error:
            errors.append(Problem(error.message, target, hint=error.hint))
            continue
        parsed = DocumentReader(source, ctx, registry, f"{source.type}:{target}").read(snapshot)
        for found in parsed.problems:
            (errors if found.level == "error" else warnings).append(_whole(found.problem, target))
        warnings += _duplicates(parsed.drafts, declared)
        waiting += [child.target for child in parsed.children if child.type == source.type and _there(child)]
    return Verdict(len(declared), tuple(errors), tuple(warnings))


def _duplicates(drafts: Iterable[Draft], declared: dict[str, str]) -> Iterator[Problem]:
    for draft in drafts:
        where = f"{draft.source_ref.partition(':')[2]}:{draft.source_line}"
        first = declared.setdefault(draft.ref, where)
        if first != where:
            yield _twice(draft.ref, where, first)


def _there(child: Child) -> bool:
    return child.presence != "optional" or Path(child.target).exists()


def _whole(problem: Problem, target: str) -> Problem:
    if problem.file is None or problem.file.startswith("/"):
        return problem
    base = Path(target) if Path(target).is_dir() else Path(target).parent
    return Problem(problem.message, str(base / problem.file), problem.line, problem.field, problem.hint)


def _twice(ref: str, where: str, first: str) -> Problem:
    file, _, line = where.rpartition(":")
    hint = f"It is declared at {first}, too. Rename one of them, or remove it."
    return Problem(f"{ref} is declared a second time.", file, int(line), "metadata.name", hint)


def _offline(*_arguments: Any, **_options: Any) -> NoReturn:
    raise Unavailable("validate.offline", "Only files of this machine are read here.")
