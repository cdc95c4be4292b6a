"""Both rooms in one process, with a few components, golden paths of our own, and people who use them."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.batches import BATCH_ENDED
from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.portal.batches import BatchPreviews, BatchReader
from flagstone.portal.catalog import IngestService
from flagstone.testing.client import Client
from flagstone.testing.people import CHEAP, people

ADA = Principal("user", "user:ada", "Ada", "developer", "user:default/ada")
NAMES = ("cart", "fraud", "Orders", "search", "vouchers")
COMPONENT = """---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: %(name)s, title: "The %(name)s", tags: [%(tag)s], annotations: {acme.example/tier: "%(tier)s"}}
spec: {type: service, lifecycle: production, owner: "group:default/payments"}
"""
TEMPLATE = """---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: %(name)s, title: %(title)s}
spec:
  type: operation
  owner: group:default/payments
%(more)s
  parameters:
    - title: About
      required: [component, level%(required)s]
      properties:
        component: {type: string, title: Component, ui:field: EntityPicker, ui:options: {catalogFilter: {kind: Component}}}
        name: {type: string, title: Name, pattern: "^[a-z]+$"}
        tier: {type: string, title: Tier}
        level: {type: string, title: Level, enum: [low, high]}
        loud: {type: boolean, title: Loud, default: true}
        token: {type: string, title: Token, ui:field: Secret}
    - title: More
      properties: {ports: {type: array, title: Ports, items: {type: integer}}}
  steps:
    - {id: say, action: "debug:log", input: {message: "${{ parameters.component }} ${{ parameters.level }}%(said)s"}}
    - {id: fail, if: "${{ parameters.name == 'fraud' }}", action: "fetch:plain", input: {url: "./no-${{ parameters.name }}"}}
"""
PATHS = (
    ("probe", "Probe", "", ""),
    ("careful", "With an approval", "  approvals: [{approvers: [role:maintainer]}]", ""),
    ("attached", "For payments", "  attachTo: {kind: component, metadata.tags: money}", ""),
    ("secretive", "With a secret", "", ", token", " ${{ secrets.token }}"),
    ("sealed", "With a schema", "  secrets: {schema: {required: [key], properties: {key: {type: string}}}}", ""),
)


class World:
    """The process and what people do in it."""

    def __init__(self, folder):
        self.folder = folder
        self.catalog()
        self.templates()
        overrides = {
            "server.data_dir": str(folder.parent / "data"),
            "catalog.locations": [
                {"type": "file", "target": str(folder / name)} for name in ("all.yaml", "paths.yaml")
            ],
            "sources.allowed_folders": [str(folder)],
            "identity.password_memory_kib": CHEAP.password_memory_kib,
            "identity.password_rounds": CHEAP.password_rounds,
        }
        self.app = build(load_settings(None, environ={}, overrides=overrides), discover=False)
        self.app.migrate()
        self.app.start()
        self.until(lambda: not self.app.waiting_for())
        deps = self.app.deps
        self.gateway, self.previews, self.reader = (
            deps.get(RunGateway),
            deps.get(BatchPreviews),
            deps.get(BatchReader),
        )
        self.people = people(deps.get(IdentityService), deps.get(AccessService))

    def catalog(self, *more):
        """The components; read again when they are others."""
        parts = [
            COMPONENT % {"name": name, "tag": "money" if name in ("cart", "fraud") else "other", "tier": len(name)}
            for name in (*NAMES, *more)
        ]
        (self.folder / "all.yaml").write_text("".join(parts))
        if hasattr(self, "app"):
            ingest = self.app.deps.get(IngestService)
            ingest.hurry("file", str(self.folder))
            ingest.refresh_due(10)

    def templates(self):
        parts = [
            TEMPLATE % {"name": name, "title": title, "more": more, "required": required, "said": "".join(said)}
            for name, title, more, required, *said in PATHS
        ]
        (self.folder / "paths.yaml").write_text("".join(parts))

    def until(self, holds):
        deadline = time.monotonic() + 60
        while not (found := holds()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    def path(self, name="probe"):
        return self.previews.path("default", name)

    def settled(self, ident, *states):
        """The batch once it has ended or stopped, and nothing of it goes on."""
        wanted = states or (*BATCH_ENDED, "stopped")

        def look():
            batch = self.reader.get(ADA, ident)
            return batch if batch.state in wanted and not batch.counts.active else None

        return self.until(look)

    def items(self, ident):
        return self.reader.items(ADA, ident).items


class Visit:
    """A person who fills in forms without JavaScript: plain GET and POST, nothing else."""

    def __init__(self, world, person):
        self.http = Client(world.app.asgi, headers={**person.headers, "Accept": "text/html"})
        self.answer = None

    def get(self, path, status=200):
        self.answer = self.http.get(path)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return self.page

    def post(self, path, fields, status=200):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        self.answer = self.http.post(path, content=urlencode(fields), headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return self.page

    @property
    def page(self):
        return BeautifulSoup(self.answer.text, "html.parser")

    @property
    def text(self):
        return " ".join(self.page.main.get_text(" ").split())

    def send(self, action, status=200, path=None, **answers):
        """Press a button of the form."""
        form = self.page.select_one("form#batch-form")
        pairs = []
        for item in form.select("input, select, textarea"):
            name = item.get("name")
            if not name or item.has_attr("disabled"):
                continue
            if item.name == "select":
                chosen = item.select_one("option[selected]") or item.select_one("option")
                pairs.append((name, chosen["value"]))
            elif item.name == "textarea":
                pairs.append((name, item.text))
            elif item.get("type") not in ("checkbox", "radio") or item.has_attr("checked"):
                pairs.append((name, item.get("value", "")))
        for name, value in answers.items():
            pairs = [*(pair for pair in pairs if pair[0] != name), (name, value)]
        return self.post(path or form["action"], [*pairs, ("_action", action)], status)


@pytest.fixture(scope="package")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches") / "catalog"
    folder.mkdir()
    found = World(folder)
    yield found
    found.app.stop()


@pytest.fixture
def dora(world):
    return Visit(world, world.people.developer)


@pytest.fixture
def vera(world):
    return Visit(world, world.people.viewer)
