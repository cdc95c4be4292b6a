"""The database's own speed: what the same questions cost when they are put straight to the server's database.

The statements are the shortest that answer the question on the catalog's tables: what the server can reach at best, not
what it sends. When the tables change, change them here; a statement that no longer fits is reported, not hidden.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

SECONDS = 2.0
_PAGE = (
    "SELECT d.body FROM catalog_entities e JOIN catalog_documents d ON d.entity_id = e.id "
    "WHERE e.kind = {p} AND {condition} ORDER BY e.sort_name, e.id LIMIT 20"
)
_COUNT = "SELECT count(*) FROM catalog_entities e WHERE e.kind = {p} AND {condition}"
_FACETS = (
    "SELECT s.value, count(*) FROM catalog_search s WHERE s.key = 'metadata.tags' AND s.value IS NOT NULL "
    "AND s.entity_id IN (SELECT e.id FROM catalog_entities e WHERE e.kind = {p} AND e.type = {p}) GROUP BY s.value"
)
# SQLite has an index of three letters; PostgreSQL looks at every name.
_PART = "e.id IN (SELECT rowid FROM catalog_parts WHERE catalog_parts MATCH ?) AND instr(lower(e.name), ?) > 0"
_STRPOS = "strpos(lower(e.name), %s) > 0"
_BY_REFS = (
    "SELECT e.ref, d.body FROM catalog_entities e JOIN catalog_documents d ON d.entity_id = e.id "
    "WHERE e.ref IN ({marks})"
)

Ask = Callable[[str, Sequence[Any]], list[Any]]


def floor(database: Path | str, refs: Sequence[str], words: Sequence[str]) -> dict[str, list[float] | str]:
    """Milliseconds of each question, or why it could not be put. ``database`` is a SQLite file or a PostgreSQL URL."""
    mark = "?" if isinstance(database, Path) else "%s"
    type_ = {"p": mark, "condition": f"e.type = {mark}"}
    lite = isinstance(database, Path)
    text = {"p": mark, "condition": _PART if lite else _STRPOS}
    asked = [("component", f'"{word[:3]}" AND "{word[-3:]}"', word) if lite else ("component", word) for word in words]
    chunks = [list(refs[at : at + 100]) for at in range(0, max(1, len(refs) - 99), 100)]
    questions: dict[str, tuple[list[str], list[Sequence[Any]]]] = {
        "by-query": (
            [_PAGE.format(**type_), _COUNT.format(**type_)],
            [("component", name) for name in ("service", "library", "website")],
        ),
        "full text": ([_PAGE.format(**text), _COUNT.format(**text)], asked),
        "facets": ([_FACETS.format(p=mark)], [("component", name) for name in ("service", "library", "website")]),
        "by-refs": ([_BY_REFS.format(marks=", ".join([mark] * len(chunks[0])))], chunks),
        "by-name": ([_BY_REFS.format(marks=mark)], [(ref,) for ref in refs]),
    }
    found: dict[str, list[float] | str] = {}
    with _connected(database) as ask:
        for name, (statements, values) in questions.items():
            try:
                found[name] = _timed(ask, statements, values)
            except (sqlite3.Error, psycopg.Error) as error:
                found[name] = str(error).splitlines()[0]
    return found


def _timed(ask: Ask, statements: list[str], values: list[Sequence[Any]]) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    for value in itertools.cycle(values):
        began = time.perf_counter()
        for statement in statements:
            ask(statement, value)
        times.append((time.perf_counter() - began) * 1000)
        if time.perf_counter() > until:
            return times
    return times


@contextmanager
def _connected(database: Path | str) -> Iterator[Ask]:
    if isinstance(database, Path):
        lite = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            yield lambda statement, values: lite.execute(statement, values).fetchall()
        finally:
            lite.close()
        return
    url = database.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SET search_path = portal")
        yield lambda statement, values: server.execute(statement, values).fetchall()  # type: ignore[arg-type]
