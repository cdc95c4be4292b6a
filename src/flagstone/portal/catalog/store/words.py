"""Finding entities by the beginnings of words, through the index that triggers keep (see the migration)."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from flagstone.portal.catalog.store.tables import entities

_WORD = re.compile(r"[^\W_]+")
_MOST = 16


class _Found(FunctionElement[bool]):
    """(id, the words for SQLite, the words for PostgreSQL)."""

    type = Boolean()
    inherit_cache = True
    name = "catalog_found"


@compiles(_Found, "sqlite")
def _sqlite(element: _Found, compiler: Any, **options: Any) -> str:
    id_, words, _ = element.clauses
    found = f"SELECT rowid FROM catalog_words WHERE catalog_words MATCH {compiler.process(words, **options)}"  # noqa: S608
    return f"{compiler.process(id_, **options)} IN ({found})"


@compiles(_Found, "postgresql")
def _postgresql(element: _Found, compiler: Any, **options: Any) -> str:
    id_, _, words = element.clauses
    asked = f"to_tsquery('simple'::regconfig, {compiler.process(words, **options)})"
    return f"{compiler.process(id_, **options)} IN (SELECT entity_id FROM catalog_words WHERE vector @@ {asked})"  # noqa: S608


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(_WORD.findall(text)))[:_MOST]


def match_of(text: str) -> str:
    """The words of a text in lower case as SQLite's index wants them; empty when there are none."""
    return " AND ".join(f'"{word}"*' for word in _words(text))


def has_words(text: str) -> ColumnElement[bool]:
    """Entities in whose words each word of a text begins one; signs separate words. ``text`` is lower case."""
    words = _words(text)
    if not words:
        return and_(*(entities.c.words.contains(part, autoescape=True) for part in text.split()[:_MOST]))
    lite = match_of(text)
    post = " & ".join(f"'{word}':*" for word in words)
    return _Found(entities.c.id, literal(lite), literal(post))
