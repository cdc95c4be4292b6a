"""Deciding, checking, and knowing who belongs to what."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from flagstone.foundation.access.model import Decision, covers, rank
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, Unauthenticated
from flagstone.sdk import Permission

log = logging.getLogger("flagstone.access")

MembershipSource = Callable[[str], frozenset[str]]
"""User ref -> refs of all groups it belongs to, transitive."""

_GROUPS_TTL = 5.0
_SIGN_IN = "Sign in, or send an API token in the Authorization header."


class AccessService:
    """The registry of permissions and the decision over them. ``decide`` is pure and touches no database."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._permissions: dict[str, Permission] = {}
        self._sources: list[MembershipSource] = []
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    def register(self, permissions: Iterable[Permission], source: str = "") -> None:
        """Make permissions known. Raises Conflict when one is there already and says something else."""
        for permission in permissions:
            known = self._permissions.setdefault(permission.name, permission)
            if known != permission:
                raise Conflict(
                    "access.permission_twice", f"The permission {permission.name!r} of {source or '?'} exists already."
                )

    def permissions(self) -> list[Permission]:
        """All of them, by name."""
        return sorted(self._permissions.values(), key=lambda item: item.name)

    def knows_scope(self, scope: str) -> bool:
        """Whether a token scope reaches any permission."""
        return any(covers((scope,), name) for name in self._permissions)

    def scopes(self) -> list[str]:
        """Scopes to offer: everything, reading, and the first word of each permission."""
        return ["*", "read", *sorted({name.split(".")[0] for name in self._permissions})]

    def decide(self, principal: Principal, permission: str, *, owner: str | None = None) -> Decision:
        """May ``principal`` use ``permission`` on something of ``owner`` (an entity ref)?"""
        return self._decide(
            principal, permission, lambda: bool(owner) and str(owner).lower() in principal.owner_refs, owner
        )

    def possible(self, principal: Principal, permission: str) -> Decision:
        """The same before the resource is known: yes when the principal might own what it is about.

        For routes and buttons; the service then checks with the owner.
        """
        return self._decide(principal, permission, lambda: True, None)

    def check(self, principal: Principal, permission: str, *, owner: str | None = None, resource: str = "") -> None:
        """Return when allowed. Raises Unauthenticated for nobody, else Denied, which is audited."""
        self.enforce(principal, self.decide(principal, permission, owner=owner), resource=resource)

    def enforce(self, principal: Principal, decision: Decision, *, resource: str = "") -> None:
        """Turn a decision into silence or an error; a denial is audited."""
        if decision.allowed:
            return
        if principal.kind == "anonymous":
            raise Unauthenticated(
                "access.sign_in_needed", f"{decision.permission} needs someone signed in.", hint=_SIGN_IN
            )
        self._audit.record(
            principal,
            decision.permission,
            resource,
            outcome="denied",
            detail={"reason": decision.reason, "role": principal.role},
        )
        about = f" on {resource}" if resource else ""
        raise Denied("access.denied", f"You may not do this{about}: {decision.reason}", hint=decision.hint)

    def admit(self, principal: Principal, permission: str) -> bool:
        """Whether a guarded route may be entered."""
        return self.possible(principal, permission).allowed

    def refuse(self, principal: Principal, permission: str, resource: str) -> None:
        """Raise what a guarded route answers with."""
        self.enforce(principal, self.possible(principal, permission), resource=resource)

    def add_membership_source(self, source: MembershipSource) -> None:
        """Add someone who knows groups: the catalog, an identity provider."""
        self._sources.append(source)
        self._groups.clear()

    def groups(self, user_ref: str) -> frozenset[str]:
        """Refs of the groups of a user, from all sources, remembered for five seconds.

        A source that fails gives no groups: less may then be done, never more.
        """
        now = time.monotonic()
        known = self._groups.get(user_ref)
        if known is not None and known[0] > now:
            return known[1]
        found: set[str] = set()
        for source in self._sources:
            try:
                found |= {ref.lower() for ref in source(user_ref)}
            except Exception:
                log.exception("a source of group memberships failed for %s", user_ref)
        groups = frozenset(found)
        if len(self._groups) > 10_000:
            self._groups.clear()
        self._groups[user_ref] = (now + _GROUPS_TTL, groups)
        return groups

    def _decide(self, principal: Principal, name: str, owns: Callable[[], bool], owner: str | None) -> Decision:
        permission = self._permissions.get(name)
        if permission is None:
            log.error("a decision was asked on the permission %r, which nobody registered", name)
            return Decision(
                False, name, f"The permission {name} does not exist.", "Report this: it is a fault in the program."
            )
        if principal.kind == "anonymous" or principal.role is None:
            return Decision(False, name, f"{name} needs someone signed in.", _SIGN_IN)
        if principal.scopes is not None and not covers(principal.scopes, name):
            return Decision(
                False,
                name,
                f"the token's scopes ({', '.join(sorted(principal.scopes)) or 'none'}) do not include {name}.",
                f"Use a token with the scope {name.split('.', maxsplit=1)[0]}; tokens are made at /me/tokens.",
            )
        if rank(principal.role) >= rank(permission.role):
            return Decision(True, name, f"The role {principal.role} has {name}.")
        if permission.owner and rank(principal.role) >= rank("developer") and owns():
            return Decision(True, name, f"Owners have {name}.")
        return Decision(False, name, _why_not(permission, principal), _whom_to_ask(permission, owner))


def _why_not(permission: Permission, principal: Principal) -> str:
    text = f"{permission.name} needs the role {permission.role}"
    if permission.owner:
        text += " or ownership with the role developer"
    return f"{text}; your role is {principal.role}."


def _whom_to_ask(permission: Permission, owner: str | None) -> str:
    if permission.owner and owner:
        return f"Ask an owner ({owner}) or an administrator."
    if permission.owner:
        return "Ask an owner or an administrator."
    return "Ask an administrator."
