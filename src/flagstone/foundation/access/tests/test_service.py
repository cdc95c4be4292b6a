"""The decision: a matrix of who may do what, and what a refusal says."""

from __future__ import annotations

import logging

import pytest

from flagstone.foundation.access import AccessService, covers
from flagstone.foundation.audit import AuditQuery
from flagstone.kernel.actor import ANONYMOUS, ROLES, Principal, system
from flagstone.kernel.errors import Conflict, Denied, Unauthenticated
from flagstone.sdk import Permission
from flagstone.testing.foundation import Foundation

OWNED = Permission("catalog.entity.delete", "Delete", "maintainer", owner=True)
READ = Permission("catalog.entity.read", "Read", "viewer")
ADMIN = Permission("admin.users", "Users", "admin")
OWNER = "group:default/payments"


@pytest.fixture
def foundation(database):
    return Foundation(database, permissions=[OWNED, READ, ADMIN])


@pytest.fixture
def access(foundation):
    return foundation.access


def who(role, *, groups=(), ref=None, scopes=None):
    return Principal(
        "user",
        "user:1",
        "Ada",
        role=role,
        entity_ref=ref,
        groups=frozenset(groups),
        scopes=frozenset(scopes) if scopes is not None else None,
    )


@pytest.mark.parametrize("permission", [READ, OWNED, ADMIN])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_it_and_the_roles_below_it_may(access, role, permission):
    expected = ROLES.index(role) >= ROLES.index(permission.role)
    assert access.decide(who(role), permission.name).allowed is expected


@pytest.mark.parametrize(
    ("principal", "owner", "allowed"),
    [
        (who("developer", groups=[OWNER]), OWNER, True),
        (who("developer", groups=[OWNER]), "Group:default/Payments", True),
        (who("developer", ref="user:default/ada"), "user:default/ada", True),
        (who("developer", groups=[OWNER]), "group:default/other", False),
        (who("developer", groups=[OWNER]), None, False),
        (who("developer", groups=[OWNER]), "", False),
        (who("viewer", groups=[OWNER]), OWNER, False),
        (who("maintainer"), "group:default/other", True),
    ],
)
def test_owners_may_from_the_role_developer_on(access, principal, owner, allowed):
    assert access.decide(principal, OWNED.name, owner=owner).allowed is allowed


def test_owning_gives_nothing_where_the_permission_does_not_say_so(access):
    assert not access.decide(who("developer", groups=[OWNER]), ADMIN.name, owner=OWNER).allowed


def test_a_route_lets_in_who_might_own_and_no_one_else(access):
    assert access.possible(who("developer"), OWNED.name).allowed
    assert not access.possible(who("viewer", groups=[OWNER]), OWNED.name).allowed
    assert not access.possible(who("developer"), ADMIN.name).allowed
    assert not access.possible(ANONYMOUS, OWNED.name).allowed


def test_an_unknown_permission_is_refused_even_to_an_administrator_and_logged(access, caplog):
    with caplog.at_level(logging.ERROR):
        assert not access.decide(who("admin"), "catalog.entity.raed").allowed
    assert "catalog.entity.raed" in caplog.text


def test_nobody_is_never_allowed_and_a_principal_without_a_role_neither(access):
    assert not access.decide(ANONYMOUS, READ.name).allowed
    assert not access.decide(who(None), READ.name).allowed
    assert access.decide(system("runs"), ADMIN.name).allowed


@pytest.mark.parametrize(
    ("scopes", "permission", "reached"),
    [
        (["*"], "catalog.entity.delete", True),
        (["catalog"], "catalog.entity.delete", True),
        (["catalog.entity"], "catalog.entity.delete", True),
        (["catalog.entity.delete"], "catalog.entity.delete", True),
        (["cat"], "catalog.entity.delete", False),
        (["catalog.entity.delete"], "catalog.entity.deleted", False),
        (["read"], "catalog.entity.read", True),
        (["read"], "runs.read", True),
        (["read"], "catalog.entity.delete", False),
        (["read"], "catalog.read.all", False),
        (["runs"], "catalog.entity.read", False),
        ([], "catalog.entity.read", False),
        ([""], "catalog.entity.read", False),
    ],
)
def test_scopes_reach_what_they_say(scopes, permission, reached):
    assert covers(scopes, permission) is reached


def test_a_scope_narrows_a_token_and_never_widens_it(access):
    assert not access.decide(who("admin", scopes=["read"]), OWNED.name, owner=OWNER).allowed
    assert access.decide(who("admin", scopes=["catalog"]), OWNED.name).allowed
    assert not access.decide(who("viewer", scopes=["*"]), OWNED.name).allowed
    assert not access.decide(who("admin", scopes=[]), READ.name).allowed


def test_a_denial_names_the_permission_the_role_and_whom_to_ask_and_is_audited(foundation, access):
    with pytest.raises(Denied) as caught:
        access.check(who("developer"), OWNED.name, owner=OWNER, resource="component:default/checkout")
    text = str(caught.value)
    for part in (
        "catalog.entity.delete",
        "maintainer",
        "developer",
        OWNER,
        "administrator",
        "component:default/checkout",
    ):
        assert part in text
    (row,) = foundation.audit.list(AuditQuery(outcome="denied")).items
    assert (row.action, row.resource, row.actor_id) == (OWNED.name, "component:default/checkout", "user:1")


def test_a_denial_inside_a_change_is_audited_although_the_change_is_rolled_back(foundation, access):
    with pytest.raises(Denied), foundation.db.write():
        access.check(who("viewer"), OWNED.name, resource="x")
    assert len(foundation.audit.list(AuditQuery(outcome="denied")).items) == 1


def test_nobody_is_asked_to_sign_in_and_fills_no_audit(foundation, access):
    with pytest.raises(Unauthenticated):
        access.check(ANONYMOUS, READ.name)
    assert foundation.audit.list().items == ()


def test_two_meanings_for_one_permission_stop_the_start(access):
    access.register([READ])
    with pytest.raises(Conflict):
        access.register([Permission(READ.name, "Other", "admin")], "plugin")


def test_groups_come_from_all_sources_and_a_broken_one_takes_nothing_from_the_others(access, caplog):
    def broken(_ref):
        raise RuntimeError

    access.add_membership_source(
        lambda ref: frozenset({"Group:default/A"}) if ref == "user:default/ada" else frozenset()
    )
    access.add_membership_source(broken)
    access.add_membership_source(lambda _: frozenset({"group:default/b"}))
    assert access.groups("user:default/ada") == {"group:default/a", "group:default/b"}
    assert access.groups("user:default/eve") == {"group:default/b"}


def test_groups_are_remembered_for_a_moment(access, monkeypatch):
    calls = []
    access.add_membership_source(lambda ref: calls.append(ref) or frozenset())
    access.groups("user:default/ada")
    access.groups("user:default/ada")
    assert len(calls) == 1
    monkeypatch.setattr("flagstone.foundation.access.service._GROUPS_TTL", -1)
    access.groups("user:default/eve")
    access.groups("user:default/eve")
    assert len(calls) == 3


def test_a_decision_is_fast(access):
    import timeit

    principal = who("developer", groups=[f"group:default/{number}" for number in range(200)])
    seconds = timeit.timeit(lambda: access.decide(principal, OWNED.name, owner="group:default/7"), number=2000)
    assert seconds / 2000 < 0.0005


def test_the_service_needs_nothing_but_an_audit_log(foundation):
    assert AccessService(foundation.audit).permissions() == []
