"""Everything around resources, real: databases, vault, access, audit, events; and a driver that can be made to fail."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from pydantic import BaseModel, ConfigDict

from flagstone.builtin.local_resources import plugin as local
from flagstone.contracts.resources import ResourceQuery
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultKey, VaultService
from flagstone.kernel.actor import Principal
from flagstone.platform.environments import PERMISSIONS as ENVIRONMENT_PERMISSIONS
from flagstone.platform.environments import (
    EnvironmentEntry,
    EnvironmentService,
    EnvironmentsSettings,
    EnvironmentStore,
    RuntimeRegistry,
)
from flagstone.platform.resources import PERMISSIONS, DefinitionEntry, Execution, ResourcesSettings, Wanted
from flagstone.platform.resources.service import Collaborators, assemble
from flagstone.sdk import ResourceDefinition, ResourcePlan, ResourceStatus, ResourceType
from flagstone.testing.databases import migrated
from flagstone.toolkit.signals import Signals

FLAGSTONE = Path(__file__).parents[3]
ADMIN = Principal("user", "user:1", "Ada", role="admin")
OWNER = Principal("user", "user:2", "Omar", role="developer", groups=frozenset({"group:default/checkout"}))
STRANGER = Principal("user", "user:3", "Sam", role="developer", groups=frozenset({"group:default/search"}))
CHECKOUT = "group:default/checkout"
ORDERS = "component:default/orders"
CANARY = "CANARY-8e1f0a77-not-for-anybody"

QUEUE = ResourceType(
    "queue",
    "Queue",
    "For tests.",
    params_schema={
        "type": "object",
        "properties": {"size": {"type": "integer", "minimum": 1}, "label": {"type": "string", "default": "plain"}},
        "additionalProperties": False,
    },
    outputs_schema={
        "type": "object",
        "properties": {"host": {"type": "string"}, "size": {"type": "integer"}, "password": {"type": "string"}},
        "required": ["host", "password"],
    },
    secret_outputs=("password",),
    stateful=True,
)


class QueueConfig(BaseModel):
    """Where queues are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "queues.acme.example"
    admin_secret: str = ""


class QueueDriver:
    """A server of queues in memory. ``before`` and ``after`` are called around the side effect and may raise."""

    name = "queues"
    types = ("queue",)
    config_model = QueueConfig

    def __init__(self, definitions=(ResourceDefinition("queues", "queue", "queues"),)):
        self.definitions = definitions
        self.queues = {}
        self.kept = {}
        self.calls = []
        self.before = self.after = lambda request: None
        self.outputs = {}

    def open(self, ctx):
        self.folder = ctx.state_dir

    def plan(self, request):
        return ResourcePlan({"Host": request.config.host, "Size": str(request.params.get("size", 1))})

    def provision(self, request):
        self.calls.append(("provision", request.uid, request.generation))
        self.before(request)
        if request.config.admin_secret:
            request.log(f"signed in with {request.secret(request.config.admin_secret)}")
        password = request.known.get("password") or request.hide(f"{CANARY}-{len(self.calls)}")
        self.queues[request.uid] = request.params.get("size", 1)
        request.log(f"the password is {password}")
        self.after(request)
        made = {"host": request.config.host, "size": self.queues[request.uid], "password": password}
        return {**made, **self.outputs}

    def remove(self, request, *, delete_data):
        self.calls.append(("remove", request.uid, request.generation))
        self.before(request)
        gone = self.queues.pop(request.uid, None)
        if gone is not None and not delete_data:
            self.kept[f"{request.uid}.{request.generation}"] = gone
        self.after(request)
        return ["The queue is deleted." if delete_data else f"The queue is kept as {request.uid}.{request.generation}."]

    def status(self, request):
        if request.uid in self.queues:
            return ResourceStatus("ready")
        return ResourceStatus("missing", "Somebody took the queue away.")


def definition(name="mine", **members):
    """An entry of the settings."""
    given = {"type": "queue", "driver": "queues", **members}
    return DefinitionEntry.model_validate({"name": name, **given})


class World:
    """One server's worth of it. ``World(same database, folder, driver)`` is that server after a restart."""

    def __init__(self, db, folder, driver=None, *definitions, **settings):
        self.db = migrated(
            db,
            events=FLAGSTONE / "foundation/events/migrations",
            audit=FLAGSTONE / "foundation/audit/migrations",
            vault=FLAGSTONE / "foundation/vault/migrations",
            environments=FLAGSTONE / "platform/environments/migrations",
            resources=FLAGSTONE / "platform/resources/migrations",
        )
        self.driver = driver or QueueDriver()
        self.signals = Signals()
        self.audit = PlatformAudit(db)
        self.events = PlatformEvents(db, self.signals)
        self.access = AccessService(self.audit)
        for permissions in (PERMISSIONS, ENVIRONMENT_PERMISSIONS):
            self.access.register(permissions)
        self.vault = VaultService(db, VaultKey(b"k" * 32), self.audit)
        wanted = EnvironmentsSettings(
            environments=(
                EnvironmentEntry(name="development", type="development"),
                EnvironmentEntry(name="staging", type="staging"),
                EnvironmentEntry(name="production", type="production"),
            )
        )
        registry = RuntimeRegistry()
        registry.add(SimpleNamespace(name="local"), "test")
        self.environments = EnvironmentService(EnvironmentStore(db), registry, wanted, self.access, self.audit)
        self.environments.sync()
        self.settings = ResourcesSettings(definitions=definitions, **{"lock_wait": 5, **settings})
        self.parts = assemble(
            Collaborators(
                db=db,
                environments=self.environments,
                vault=self.vault,
                access=self.access,
                audit=self.audit,
                events=self.events,
                signals=self.signals,
                settings=self.settings,
                data=folder,
            )
        )
        registry = self.parts.registry
        for type_ in (QUEUE, *local.flagstone_register_resource_types()):
            registry.add_type(type_, "test")
        for one in (self.driver, *local.flagstone_register_resource_drivers()):
            registry.add_driver(one, "test")
        self.parts.definitions.seal()
        self.service = self.parts.service
        self.provider = self.parts.provider
        self.steps = 0
        self.said = []

    def wanted(self, name="jobs", **members):
        given = {
            "type": "queue",
            "resource_class": "default",
            "environment": "development",
            "entity_ref": ORDERS,
            "owner": CHECKOUT,
        }
        return Wanted(name=name, **{**given, **members})

    def execution(self, key=None, **members):
        self.steps += 1
        return Execution(key or f"step-{self.steps}", f"run-{self.steps}", self.said.append, **members)

    def request(self, name="jobs", *, actor=OWNER, key=None, **members):
        return self.service.request(actor, self.wanted(name, **members), self.execution(key))

    def remove(self, uid, *, actor=OWNER, key=None, **members):
        return self.service.remove(actor, uid, self.execution(key), **members)

    def get(self, uid):
        return self.service.get(uid, ADMIN)

    def all(self, **query):
        return self.service.list(ResourceQuery(**query), ADMIN).items

    def told(self):
        return [(event.type.removeprefix("resources.resource."), event.data["state"]) for event in self.events.read()]

    def audited(self):
        return [row.action for row in self.audit.list().items if row.action.startswith("resources.")]

    def everything(self):
        """All text that the database holds but the vault's own rows, the log, and the log of the driver."""
        dump = []
        with self.db.read() as conn:
            for table in ("resources_resources", "events_outbox", "audit_rows"):
                dump += [repr(tuple(row)) for row in conn.exec_driver_sql(f"SELECT * FROM {table}")]
        return "\n".join([*dump, *self.said])


def costing(amount):
    """A definition that costs."""
    return definition(monthly_cost=Decimal(amount))


def at_once(*calls):
    """Do things in threads at the same time; their answers or errors."""
    answers = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def do(number, call):
        ready.wait()
        try:
            answers[number] = call()
        except Exception as error:  # noqa: BLE001  handed to the test
            answers[number] = error

    threads = [threading.Thread(target=do, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers
