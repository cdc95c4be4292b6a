"""Who acts: the principal that every decision, run and audit row is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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


def is_asked(principal: Principal, asked: Iterable[str], owner: str | None) -> bool:
    """Whether a principal is one of those who are asked.

    ``asked``: refs of groups (their members, also of groups below) and users, ``role:maintainer`` (that role or a
    higher one), ``owner`` (who owns what it is about).
    """
    mine = {ref.lower() for ref in principal.owner_refs}
    rank = ROLES.index(principal.role) if principal.role is not None else -1
    for ref in asked:
        kind, _, name = ref.partition(":")
        if kind == "role":
            if name in ROLES and rank >= ROLES.index(name):
                return True
        elif (owner or "").lower() in mine if ref == "owner" else ref.lower() in mine:
            return True
    return False


ANONYMOUS = Principal("anonymous", "anonymous", "anonymous")


def system(name: str) -> Principal:
    """A principal for the product's own background work; its rows in the audit say which part acted."""
    return Principal("system", f"system:{name}", name, role="admin", via="system")


def principal_to_dict(principal: Principal) -> dict[str, Any]:
    """JSON of a principal, so that what somebody asked for is done for them even after a restart."""
    body = asdict(principal)
    body["groups"] = sorted(principal.groups)
    body["scopes"] = sorted(principal.scopes) if principal.scopes is not None else None
    return body


def principal_from_dict(body: Mapping[str, Any]) -> Principal:
    """The inverse of :func:`principal_to_dict`."""
    scopes = body.get("scopes")
    return Principal(
        kind=body["kind"],
        id=body["id"],
        name=body["name"],
        role=body.get("role"),
        entity_ref=body.get("entity_ref"),
        groups=frozenset(body.get("groups", ())),
        scopes=frozenset(scopes) if scopes is not None else None,
        via=body.get("via", "api"),
    )
