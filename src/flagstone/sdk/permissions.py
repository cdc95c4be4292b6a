"""Permissions are values: a name, what it is for, and who has it without any further rule."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.kernel.actor import Role


@dataclass(frozen=True, slots=True)
class Permission:
    """``slice.thing.verb``.

    ``role`` is the least role that has it everywhere; with ``owner`` True, whoever owns the resource has it too,
    from the role ``developer`` on.
    """

    name: str
    description: str
    role: Role
    owner: bool = False
