"""Environments from the settings and through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditQuery, PlatformAudit
from flagstone.kernel.actor import ANONYMOUS, Principal
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from flagstone.platform.environments import (
    PERMISSIONS,
    EnvironmentEntry,
    EnvironmentService,
    EnvironmentsSettings,
    EnvironmentStore,
    EnvironmentTypeEntry,
    RuntimeRegistry,
)
from flagstone.testing.databases import migrated

ROOT = Path(__file__).parents[1]
ADMIN = Principal("user", "user:1", "Ada", role="admin")
DEVELOPER = Principal("user", "user:2", "Dev", role="developer")


class NamedRuntime:
    """Only its name matters here."""

    def __init__(self, name):
        self.name = name


class World:
    def __init__(self, db):
        audit_migrations = ROOT.parents[1] / "foundation" / "audit" / "migrations"
        self.db = migrated(db, environments=ROOT / "migrations", audit=audit_migrations)
        self.audit = PlatformAudit(db)
        self.access = AccessService(self.audit)
        self.access.register(PERMISSIONS)
        self.registry = RuntimeRegistry()
        self.registry.add(NamedRuntime("local"), "local_process")
        self.counts = {}

    def service(self, **settings):
        store = EnvironmentStore(self.db)
        service = EnvironmentService(store, self.registry, EnvironmentsSettings(**settings), self.access, self.audit)
        service.count_with(lambda: self.counts)
        return service


@pytest.fixture
def world(sqlite_database):
    return World(sqlite_database)


def test_out_of_the_box_there_is_development_on_the_local_runtime(world):
    service = world.service()
    service.sync()
    service.sync()
    (view,) = service.list(DEVELOPER)
    assert (view.name, view.type, view.runtime, view.title) == ("development", "development", "local", "Development")
    assert [item.name for item in service.types(DEVELOPER)] == ["development", "staging", "production"]


def test_the_number_of_deployments_is_told_by_who_deploys(world):
    service = world.service()
    service.sync()
    world.counts = {"development": 3}
    assert service.list(DEVELOPER)[0].deployments == 3


def test_an_administrator_adds_an_environment_and_the_audit_says_so(world):
    service = world.service()
    service.sync()
    service.create(ADMIN, name="pr-42", environment_type="development", runtime="local")
    assert [item.name for item in service.list(ADMIN)] == ["development", "pr-42"]
    service.sync()
    assert service.get("pr-42").origin == "api"
    assert world.audit.list(AuditQuery()).items[0].resource == "environment:pr-42"


def test_a_developer_may_not_add_environments(world):
    service = world.service()
    service.sync()
    with pytest.raises(Denied):
        service.create(DEVELOPER, name="mine", environment_type="development", runtime="local")


def test_nobody_sees_nothing(world):
    with pytest.raises(Unauthenticated):
        world.service().list(ANONYMOUS)


def test_all_faults_of_a_new_environment_are_told_at_once(world):
    service = world.service()
    service.sync()
    with pytest.raises(Invalid) as caught:
        service.create(ADMIN, name="Über", environment_type="none", runtime="moon")
    assert [problem.field for problem in caught.value.problems] == ["name", "type", "runtime"]


def test_a_name_can_be_used_once(world):
    service = world.service()
    service.sync()
    with pytest.raises(Conflict):
        service.create(ADMIN, name="development", environment_type="staging", runtime="local")


def test_an_unknown_environment_names_those_that_there_are(world):
    service = world.service()
    service.sync()
    with pytest.raises(NotFound, match="Known environments: development"):
        service.get("prod")


def test_an_environment_that_leaves_the_settings_goes_unless_it_is_used(world):
    both = (EnvironmentEntry(name="development", type="development"), EnvironmentEntry(name="old", type="staging"))
    world.service(environments=both).sync()
    world.counts = {"old": 1}
    world.service().sync()
    assert [item.name for item in world.service().list(ADMIN)] == ["development", "old"]
    world.counts = {}
    world.service().sync()
    assert [item.name for item in world.service().list(ADMIN)] == ["development"]


def test_settings_with_faults_are_refused_with_all_of_them(world):
    service = world.service(
        types=(EnvironmentTypeEntry(name="dev"), EnvironmentTypeEntry(name="dev")),
        environments=(EnvironmentEntry(name="-x", type="gone"),),
    )
    with pytest.raises(Invalid) as caught:
        service.sync()
    assert [problem.field for problem in caught.value.problems] == [
        "environments.types.1.name",
        "environments.environments.0.name",
        "environments.environments.0.type",
    ]


def test_two_plugins_with_one_runtime_are_both_named():
    registry = RuntimeRegistry()
    registry.add(NamedRuntime("local"), "local_process")
    with pytest.raises(Conflict, match="'local_process' and 'acme'"):
        registry.add(NamedRuntime("local"), "acme")
    with pytest.raises(NotFound, match="Known runtimes: local"):
        registry.get("kubernetes")
    assert registry.plugin_of("local") == "local_process"
