"""Kinds and rules of the settings. All problems of the files at once: a server with a wrong kind does not start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flagstone.kernel.errors import Invalid, Problem
from flagstone.portal.catalog.model.declared import DeclaredKind, declared_kind
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.model.rules import Place, Rule, Rules
from flagstone.portal.catalog.service.documents import problem_of
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.toolkit.yaml import read_yaml


class DeclaredKinds:
    """The kinds of the settings, with their cards."""

    def __init__(self, kinds: Sequence[DeclaredKind]) -> None:
        self.kinds = tuple(kinds)

    def add_to(self, registry: KindRegistry) -> None:
        """Make them known. Raises Conflict (``catalog.kind_twice``) when a plugin brings one of the same name."""
        for declared in self.kinds:
            registry.add(declared.kind, "catalog.kinds in the settings")


def read_kinds(files: Sequence[str]) -> list[DeclaredKind]:
    """The kinds of some files. Raises Invalid (``catalog.bad_kind``) with every problem of every file."""
    found: list[DeclaredKind] = []
    problems: list[Problem] = []
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            hint = "Mend catalog.kinds in the settings."
            problems.append(Problem(f"The file cannot be read: {error.strerror}.", file, hint=hint))
            continue
        read = read_yaml(content, name=file)
        problems += read.problems
        for document in read.documents:
            kind = declared_kind(document.value)
            if isinstance(kind, DeclaredKind):
                found.append(kind)
            else:
                problems += [problem_of(fault, document, file) for fault in kind]
    if problems:
        message = "A declared kind is not valid." if len(problems) == 1 else "Declared kinds are not valid."
        raise Invalid("catalog.bad_kind", message, hint="See docs/how-to/declare-a-kind.md.", problems=problems)
    return found


def rules_of(settings: CatalogSettings) -> Rules:
    """The rules as the catalog applies them."""
    return Rules(
        [
            Rule(
                tuple((item.kind, item.spec_type) for item in rule.allow),
                tuple(Place(place.type, place.exact, place.pattern) for place in rule.locations),
            )
            for rule in settings.rules
        ]
    )
