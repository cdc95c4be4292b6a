"""Both rooms in one process, with a golden path of our own and somebody who uses it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.runs import ENDED
from flagstone.foundation.access import AccessService
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import IngestService
from flagstone.portal.golden_paths import GoldenPathService
from flagstone.portal.upgrades import UpgradeService
from flagstone.testing.client import Client
from flagstone.testing.people import CHEAP, people

OWNERS = "group:default/payments"
ADA = Principal("user", "user:ada", "Ada", "developer", "user:default/ada", frozenset({OWNERS}))
VIC = Principal("user", "user:vic", "Vic", "viewer", "user:default/vic")

TEMPLATE = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: web, title: Web service}
spec:
  type: service
  owner: group:default/payments
  parameters:
    - title: Service
      required: [name%(required)s]
      properties:
        name: {type: string, title: Name}
%(properties)s
  steps:
    - id: fetch
      action: fetch:template
      input:
        url: ./skeleton
        values: {name: "${{ parameters.name }}", port: "${{ parameters.port }}"}
    - {id: ask, action: "debug:log", input: {message: hello}}
    - id: publish
      action: publish:git
      input: {repoUrl: "flagstone?owner=acme&repo=${{ parameters.name }}"}
    - id: register
      action: catalog:register
      input:
        repoContentsUrl: ${{ steps.publish.output.repoContentsUrl }}
        catalogInfoPath: /catalog-info.yaml
"""
INFO = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: "${{ values.name }}"}
spec: {type: service, lifecycle: production, owner: "group:default/payments"}
"""


class World:
    """The process and what a person does in it."""

    def __init__(self, folder, *, publish="publish:git", host="flagstone", **more):
        self.folder = folder
        self.text = TEMPLATE.replace("publish:git", publish).replace("flagstone?", f"{host}?")
        self.skeleton = folder / "template" / "skeleton"
        self.skeleton.mkdir(parents=True)
        (self.skeleton / "catalog-info.yaml").write_text(INFO)
        self.write("one")
        self.template()
        file = str(folder / "template" / "template.yaml")
        overrides = {
            "server.data_dir": str(folder / "data"),
            "catalog.locations": [{"type": "file", "target": file}],
            "sources.allowed_folders": [str(folder)],
            "identity.password_memory_kib": CHEAP.password_memory_kib,
            "identity.password_rounds": CHEAP.password_rounds,
            **more,
        }
        self.app = build(load_settings(None, environ={}, overrides=overrides), discover=False)
        self.app.migrate()
        self.app.start()
        self.until(lambda: not self.app.waiting_for())
        self.gateway = self.app.deps.get(RunGateway)
        self.paths = self.app.deps.get(GoldenPathService)
        self.upgrades = self.app.deps.get(UpgradeService)
        self.people = people(self.app.deps.get(IdentityService), self.app.deps.get(AccessService))

    def write(self, word):
        """What the skeleton holds. At once: who looks meanwhile would else find an empty file, which is a version."""
        new = self.folder / "app.py.new"
        new.write_text(f"# ${{{{ values.name }}}}\nfirst = 1\n\n\nlast = '{word}'\n")
        new.replace(self.skeleton / "app.py")

    def template(self, required="", properties=""):
        """The template itself; a changed one is read again."""
        text = self.text % {"required": required, "properties": properties}
        (self.folder / "template" / "template.yaml").write_text(text)
        if hasattr(self, "app"):
            ingest = self.app.deps.get(IngestService)
            ingest.hurry("file", str(self.folder / "template"))
            ingest.refresh_due(10)

    def until(self, holds):
        deadline = time.monotonic() + 60
        while not (found := holds()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    def ended(self, run):
        found = self.until(lambda: (now := self.gateway.get_run(run.id, ADA)).state in ENDED and now)
        assert found.state == "succeeded", found.error
        return found

    def make(self, name):
        """Use the golden path."""
        run = self.ended(self.paths.start(ADA, self.paths.get("default", "web"), {"name": name}, {}))
        self.listen()
        return f"component:default/{name}", run

    def listen(self):
        """What the platform told, again from the beginning."""
        for event in self.gateway.events(limit=5000):
            self.upgrades.handle(event)

    def file(self, name, path, commit=None):
        return self.gateway.repository_file(f"acme/{name}", path, ADA, commit=commit).text

    def browser(self, name):
        person = getattr(self.people, name)
        return Client(self.app.asgi, headers={**person.headers, "Accept": "text/html"})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("upgrades"))
    yield found
    found.app.stop()


@pytest.fixture
def event():
    return lambda type_, subject="", **data: SimpleNamespace(type=type_, subject=subject, data=data)
