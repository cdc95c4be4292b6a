"""Who acts: the principal that every decision, run and audit row is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

PrincipalKind = Literal["user", "service", "run", "system", "anonymous"]
Role = Literal["viewer", "developer", "maintainer", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "developer", "maintainer", "admin")
"""From least to most; each role may do everything that the ones before it may."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller (or nobody).

    ``id`` is stable (`user:<uuid>`, `token:<uuid>`, `run:<uuid>`, `system:<name>`); ``name`` is for people;
    ``entity_ref`` is the catalog User it was matched with; ``groups`` are the group refs it belongs to, transitive;
    ``scopes`` restricts what a token may do (None: no restriction beyond the role).
    """

    kind: PrincipalKind
    id: str
    name: str
    role: Role | None = None
    entity_ref: str | None = None
    groups: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] | None = None
    via: str = "api"

    @property
    def owner_refs(self) -> frozenset[str]:
        """The refs through which this principal owns things: itself and its groups."""
        return self.groups | {self.entity_ref} if self.entity_ref else self.groups


ANONYMOUS = Principal("anonymous", "anonymous", "anonymous")


def system(name: str) -> Principal:
    """A principal for the product's own background work; its rows in the audit say which part acted."""
    return Principal("system", f"system:{name}", name, role="admin", via="system")
