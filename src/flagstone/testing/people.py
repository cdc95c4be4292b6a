"""People to test with: one of each role, one who owns things, one who owns other things; all with API tokens."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.foundation.access import AccessService
from flagstone.foundation.identity import Account, IdentityService, IdentitySettings
from flagstone.kernel.actor import Principal, Role, system

OWNERS = "group:default/payments"
"""The group that ``developer`` belongs to."""
STRANGERS = "group:default/logistics"
"""The group that ``stranger`` belongs to."""
PASSWORD = "lanterns over quiet water"  # noqa: S105  of people who do not exist

CHEAP = IdentitySettings(password_memory_kib=8, password_rounds=1)
"""Settings with password hashes that cost nothing: only for tests."""

_MEMBERSHIPS = {
    "user:default/dora": frozenset({OWNERS, "group:default/engineering"}),
    "user:default/stan": frozenset({STRANGERS, "group:default/engineering"}),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a password (:data:`PASSWORD`) and a token."""

    account: Account
    principal: Principal
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request of theirs carries."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class People:
    """Everybody."""

    viewer: Person
    developer: Person
    """A member of :data:`OWNERS`."""
    stranger: Person
    """A developer, member of :data:`STRANGERS`."""
    maintainer: Person
    admin: Person


def people(identity: IdentityService, access: AccessService | None = None) -> People:
    """Create them all. With ``access`` the groups of the two developers are known, too."""
    if access is not None:
        access.add_membership_source(lambda ref: _MEMBERSHIPS.get(ref, frozenset()))
    return People(
        viewer=_person(identity, "vera", "viewer"),
        developer=_person(identity, "dora", "developer", "user:default/dora"),
        stranger=_person(identity, "stan", "developer", "user:default/stan"),
        maintainer=_person(identity, "mona", "maintainer"),
        admin=_person(identity, "adam", "admin"),
    )


def _person(identity: IdentityService, username: str, role: Role, entity_ref: str | None = None) -> Person:
    actor = system("test")
    account = identity.accounts.create(
        username, role=role, actor=actor, display_name=username.title(), entity_ref=entity_ref
    )
    identity.accounts.set_password(account, PASSWORD, actor=actor)
    made = identity.tokens.create(account, "test", actor=actor)
    return Person(identity.accounts.get(username), identity.principal_for_token(made.text), made.text)
