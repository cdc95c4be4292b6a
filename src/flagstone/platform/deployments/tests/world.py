"""Everything around deployments, real: git repositories, processes, databases, access, audit, events."""

from __future__ import annotations

import time
from pathlib import Path

from flagstone.builtin.local_resources import plugin as local_resources
from flagstone.contracts.gateway import DeploymentQuery
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultKey, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.platform.deployments import PERMISSIONS, DeploymentsSettings
from flagstone.platform.deployments.ports import HostedSources
from flagstone.platform.deployments.service import Collaborators, Execution, assemble
from flagstone.platform.environments import PERMISSIONS as ENVIRONMENT_PERMISSIONS
from flagstone.platform.environments import (
    EnvironmentEntry,
    EnvironmentService,
    EnvironmentsSettings,
    EnvironmentStore,
    RuntimeRegistry,
)
from flagstone.platform.repositories import PERMISSIONS as REPOSITORY_PERMISSIONS
from flagstone.platform.repositories import RepositoryService
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.store import RepositoryStore
from flagstone.platform.resources import PERMISSIONS as RESOURCE_PERMISSIONS
from flagstone.platform.resources import ResourcesSettings
from flagstone.platform.resources import service as resources
from flagstone.testing.databases import migrated
from flagstone.toolkit.git import Author
from flagstone.toolkit.process import LocalProcessHost
from flagstone.toolkit.signals import Signals

FLAGSTONE = Path(__file__).parents[3]
ADMIN = Principal("user", "user:1", "Ada", role="admin")
OWNER = Principal("user", "user:2", "Omar", role="developer", groups=frozenset({"group:default/checkout"}))
STRANGER = Principal("user", "user:3", "Sam", role="developer", groups=frozenset({"group:default/search"}))

APP = """\
import http.server, os, sys, time
print("starting {version}", flush=True)
{extra}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"{version}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SCORE = """\
apiVersion: score.dev/v1b1
metadata:
  name: {name}
containers:
  main:
    image: "."
    command: ["python", "app.py"]
    readinessProbe:
      httpGet:
        path: /
        port: 8080
service:
  ports:
    http:
      port: 8080
"""
CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: service
  lifecycle: experimental
  owner: {owner}
"""
BROKEN = 'print("no such table: orders"); sys.exit(3)'


def app_files(version="v1", *, name="orders", owner="checkout", extra="", **files):
    found = {
        "app.py": APP.format(version=version, extra=extra),
        "score.yaml": SCORE.format(name=name),
        "catalog-info.yaml": CATALOG.format(name=name, owner=owner),
        **files,
    }
    return {path: text for path, text in found.items() if text is not None}


def migrations(db, **more):
    folder = FLAGSTONE
    return migrated(
        db,
        events=folder / "foundation/events/migrations",
        audit=folder / "foundation/audit/migrations",
        repositories=folder / "platform/repositories/migrations",
        vault=folder / "foundation/vault/migrations",
        environments=folder / "platform/environments/migrations",
        resources=folder / "platform/resources/migrations",
        deployments=folder / "platform/deployments/migrations",
        **more,
    )


class World:
    """One server's worth of it. ``World(same folder and database)`` is that server after a restart."""

    def __init__(self, db, folder, runtime, **settings):
        self.db = migrations(db)
        self.folder = folder
        self.runtime = runtime
        self.signals = Signals()
        self.audit = PlatformAudit(db)
        self.events = PlatformEvents(db, self.signals)
        self.access = AccessService(self.audit)
        for permissions in (PERMISSIONS, ENVIRONMENT_PERMISSIONS, REPOSITORY_PERMISSIONS, RESOURCE_PERMISSIONS):
            self.access.register(permissions)
        self.folders = RepositoryFolders(folder / "repositories")
        self.repositories = RepositoryService(
            RepositoryStore(db),
            self.folders,
            access=self.access,
            audit=self.audit,
            events=self.events,
            base_url=lambda: "http://127.0.0.1:7070",
        )
        registry = RuntimeRegistry()
        registry.add(runtime, "test")
        wanted = EnvironmentsSettings(
            environments=(
                EnvironmentEntry(name="development", type="development"),
                EnvironmentEntry(name="staging", type="staging"),
            )
        )
        self.environments = EnvironmentService(EnvironmentStore(db), registry, wanted, self.access, self.audit)
        self.environments.sync()
        self.vault = VaultService(db, VaultKey(b"k" * 32), self.audit)
        self.resources = resources.assemble(
            resources.Collaborators(
                db=db,
                environments=self.environments,
                vault=self.vault,
                access=self.access,
                audit=self.audit,
                events=self.events,
                signals=self.signals,
                settings=ResourcesSettings(),
                data=folder,
            )
        )
        for type_ in local_resources.flagstone_register_resource_types():
            self.resources.registry.add_type(type_, "test")
        for driver in local_resources.flagstone_register_resource_drivers():
            self.resources.registry.add_driver(driver, "test")
        self.resources.definitions.seal()
        self.processes = LocalProcessHost(folder / "runtime" / "processes")
        self.settings = DeploymentsSettings(**{"health_timeout": 10, "lock_wait": 5, **settings})
        self.parts = assemble(
            Collaborators(
                db=db,
                sources=HostedSources(self.repositories),
                environments=self.environments,
                registry=registry,
                processes=self.processes,
                access=self.access,
                audit=self.audit,
                events=self.events,
                signals=self.signals,
                resources=self.resources.provider,
                settings=self.settings,
                data=folder,
            )
        )
        self.service = self.parts.service
        self.resources.service.used_by(self.parts.resourcing.users)
        self.steps = 0

    def commit(self, files, repository="shop/orders", message="Change"):
        """Commit exactly these files; the repository is made when it is not there. Returns the commit id."""
        content = {path: (text if isinstance(text, bytes) else text.encode(), False) for path, text in files.items()}
        if self.repositories.find(repository) is None:
            return self.repositories.create(repository, ADMIN, files=content, message=message).created_commit
        git = self.folders.open(repository)
        author = Author("Omar", "omar@acme.example")
        return git.commit_tree(
            content, message=message, author=author, branch="main", date=utc_now(), parents=[git.head("main")]
        )

    def execution(self, key=None, **members):
        self.steps += 1
        self.said = []
        key = key or f"step-{id(self)}-{self.steps}"
        return Execution(key, **{"run_id": f"run-{self.steps}", "progress": self.said.append, **members})

    def deploy(self, actor=OWNER, repository="shop/orders", environment="development", key=None, **members):
        execution = members.pop("execution", None) or self.execution(key)
        return self.service.deploy(
            actor, repository=repository, environment=environment, execution=execution, **members
        )

    def all(self, **query):
        return list(self.service.list(DeploymentQuery(**query), ADMIN).items)

    def told(self):
        return [event.data for event in self.events.read() if event.type == "deployment.changed"]

    def close(self):
        self.parts.supervisor.stop()
        self.processes.close()


def until(check, seconds=10.0):
    """Wait for something to be true."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)
    return found
