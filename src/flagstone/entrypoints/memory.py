"""How this process asks the operating system for memory. What the parts of it keep is theirs to bound."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
_ARENAS = 2


def few_arenas() -> None:
    """Have all threads share two heaps of the C library, where it can.

    Each of the forty threads that answer requests would else get a heap of its own, and what one of them gives back
    (answers, pages of databases) could not be used by the others: half of the memory of a busy server.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (OSError, AttributeError):
        return  # another C library than glibc, which has no such thing
