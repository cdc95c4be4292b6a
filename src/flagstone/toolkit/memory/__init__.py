"""How a process asks the operating system for memory, and gives it back. What its parts keep is theirs to bound."""

from __future__ import annotations

import ctypes

__all__ = ["few_heaps", "give_back"]

_M_ARENA_MAX = -8
_HEAPS = 2


def few_heaps() -> None:
    """Have all threads share two heaps of the C library, where it can. Does nothing with another one than glibc.

    Each of the forty threads that answer requests would else get a heap of its own, and what one of them gives back
    (answers, pages of databases) could not be used by the others.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)
    except (OSError, AttributeError):
        return


def give_back() -> None:
    """After work that needed much memory for a while: what is free goes back to the system. Costs milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
