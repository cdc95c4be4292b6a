"""What several parts of one page ask, asked once.

Only inside :func:`page`, so only for what is read: outside of it everything is asked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

T = TypeVar("T")

_known: ContextVar[dict[Hashable, Any] | None] = ContextVar("flagstone_page", default=None)


@contextmanager
def page() -> Iterator[None]:
    """One page is made inside."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(key: Hashable, ask: Callable[[], T]) -> T:
    """What ``ask`` says; within a page what it said the first time. The key names who asks for what."""
    known = _known.get()
    if known is None:
        return ask()
    if key not in known:
        known[key] = ask()
    return cast("T", known[key])
