"""The real portal in front of a platform that takes notes, with a component in the built-in hosting."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from flagstone.contracts.deployments import DeploymentView, LogLine, ReleaseView
from flagstone.contracts.runs import RunEvent
from flagstone.testing.people import OWNERS
from flagstone.testing.portal import PortalApp, RecordingGateway

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = "component:default/greeter"
INFO = f"""
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: greeter, description: Greets}}
spec: {{type: service, lifecycle: production, owner: "{OWNERS}"}}
"""
FILES = {
    "catalog-info.yaml": INFO,
    "README.md": "# Greeter\n\nSee [the docs](docs/index.md) and [out](../../etc/passwd).\n\n<script>alert(1)</script>\n",
    "docs/index.md": "# Docs\n\n[Back](../README.md)\n",
    "app.py": "print('<b>hello</b>')\n",
}


class Visit:
    """A person with a browser that runs no script."""

    def __init__(self, portal, person):
        self.http = portal.client(person)
        self.answer = None

    def get(self, path, status=200, **headers):
        self.answer = self.http.get(path, headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return BeautifulSoup(self.answer.text, "html.parser")

    def post(self, path, status=303, **fields):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        self.answer = self.http.post(path, content=urlencode(fields), headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return BeautifulSoup(self.answer.text, "html.parser")


@pytest.fixture(scope="module")
def gateway():
    found = RecordingGateway()
    found.files["acme/greeter"] = dict(FILES)
    return found


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    location = ("hosted", "acme/greeter/catalog-info.yaml")
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data", gateway, [location])
    yield app
    app.stop()


@pytest.fixture(autouse=True)
def clean(gateway):
    for kept in (gateway.requests, gateway.runs, gateway.deployments, gateway.log, gateway.told, gateway.run_log):
        kept.clear()
    gateway.fails, gateway.salt = None, ""


@pytest.fixture
def someone(portal):
    return lambda name: Visit(portal, getattr(portal.people, name))


@pytest.fixture
def owner(someone):
    """Dora: a developer whose team owns the greeter."""
    return someone("developer")


@pytest.fixture
def stranger(someone):
    return someone("stranger")


@pytest.fixture
def deployed(gateway):
    """The greeter runs in development."""
    release = ReleaseView(id="rel", version="r3", repository="acme/greeter", commit="c" * 40, created_at=NOW)
    view = DeploymentView(
        id="dep-1",
        entity_ref=REF,
        workload="greeter",
        environment="development",
        runtime="local",
        state="healthy",
        url="http://127.0.0.1:7100/",
        release=release,
        since=NOW,
        owner=OWNERS,
    )
    gateway.deployments.append(view)
    gateway.log += [LogLine(seq=100 * number, at=NOW, text=f"line {number} <i>") for number in range(1, 6)]
    return view


@pytest.fixture
def events():
    def make(*texts):
        found = [RunEvent(seq=1, at=NOW, type="step", step="a", state="running", data={"name": "Step A"})]
        for text in texts:
            found.append(RunEvent(seq=len(found) + 1, at=NOW, type="log", step="a", text=text))
        found.append(RunEvent(seq=len(found) + 1, at=NOW, type="step", step="a", state="succeeded"))
        return found

    return make
