"""Decisions and scopes: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flagstone.kernel.actor import ROLES, Role


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. ``reason`` says why; ``hint`` says what to do when it is no."""

    allowed: bool
    permission: str
    reason: str
    hint: str = ""


def covers(scopes: Iterable[str], permission: str) -> bool:
    """Whether the scopes of a token reach a permission.

    A scope is ``*``, ``read`` (every permission that ends in ``.read``), a permission, or the first words of some.
    """
    for scope in scopes:
        if scope in ("*", permission) or permission.startswith(scope + "."):
            return True
        if scope == "read" and permission.endswith(".read"):
            return True
    return False


def rank(role: Role | None) -> int:
    """Place of a role, from 0; -1 for none."""
    return ROLES.index(role) if role is not None else -1
