"""The real portal in front of a platform that takes notes and says what resources there are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup

from flagstone.contracts.resources import ResourceCriteria, ResourceDefinitionView, ResourceTypeView, ResourceView
from flagstone.kernel.errors import NotFound
from flagstone.kernel.paging import Page
from flagstone.testing.people import OWNERS
from flagstone.testing.portal import PortalApp, RecordingGateway

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = "component:default/greeter"
INFO = f"""
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: greeter, description: Greets}}
spec: {{type: service, lifecycle: production, owner: "{OWNERS}", dependsOn: ["resource:default/old-database"]}}
"""
TYPES = (
    ResourceTypeView(
        name="postgres",
        title="PostgreSQL database",
        description="A database.",
        params_schema={
            "type": "object",
            "properties": {"connections": {"type": "integer", "minimum": 1, "default": 20, "title": "Connections"}},
        },
        outputs_schema={
            "type": "object",
            "properties": {"host": {"description": "Its host."}, "password": {"description": "Its password."}},
        },
        secret_outputs=("password",),
        stateful=True,
        definitions=("shared",),
    ),
    ResourceTypeView(
        name="queue", title="Queue", params_schema={"type": "object", "properties": {}}, outputs_schema={}
    ),
)
DEFINITIONS = (
    ResourceDefinitionView(
        name="shared",
        type="postgres",
        driver="postgresql",
        criteria=ResourceCriteria(environment_type="development"),
        monthly_cost=Decimal("12.5"),
    ),
)


def resource(name="db", **values):
    """A resource that is ready, or as the test says."""
    known = {
        "id": f"postgres-{name}",
        "type": "postgres",
        "name": name,
        "entity_ref": REF,
        "environment": "development",
        "owner": OWNERS,
        "definition": "shared",
        "driver": "postgresql",
        "state": "ready",
        "params": {"connections": 20},
        "outputs": {"host": "db.acme.example"},
        "secret_names": ("password",),
        "monthly_cost": Decimal("12.5"),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return ResourceView.model_validate(known | values)


class ResourceGateway(RecordingGateway):
    """Resources are what a test puts into it."""

    def __init__(self):
        super().__init__()
        self.resources = []
        self.broken = None

    def list_resources(self, query, actor):
        if self.broken:
            raise self.broken
        found = [
            one
            for one in self.resources
            if query.entity_ref in (None, one.entity_ref)
            and query.environment in (None, one.environment)
            and query.type in (None, one.type)
            and (one.state in query.state if query.state else one.state != "removed")
            and (not query.owners or one.owner in query.owners)
        ]
        begin = int(query.cursor or 0)
        end = begin + (query.limit or 50)
        return Page(tuple(found[begin:end]), str(end) if len(found) > end else None)

    def get_resource(self, resource_id, actor):
        found = next((one for one in self.resources if one.id == resource_id), None)
        if found is None:
            raise NotFound("resources.not_found", f"There is no resource {resource_id}.")
        return found

    def resource_types(self, actor):
        return list(TYPES)

    def resource_definitions(self, actor):
        return list(DEFINITIONS)

    def plan(self, request, actor):
        return super().plan(request, actor).model_copy(update={"cost": "12.50 USD a month"})


class Visit:
    """A person with a browser that runs no script."""

    def __init__(self, portal, person):
        self.http = portal.client(person)
        self.answer = None

    def get(self, path, status=200, **headers):
        self.answer = self.http.get(path, headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return BeautifulSoup(self.answer.text, "html.parser")

    def post(self, path, fields, status=303, **headers):
        headers |= {"content-type": "application/x-www-form-urlencoded"}
        self.answer = self.http.post(path, content=urlencode(fields, doseq=True), headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        return BeautifulSoup(self.answer.text, "html.parser")


@pytest.fixture(scope="module")
def gateway():
    found = ResourceGateway()
    found.files["acme/greeter"] = {"catalog-info.yaml": INFO}
    return found


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    location = ("hosted", "acme/greeter/catalog-info.yaml")
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data", gateway, [location])
    yield app
    app.stop()


@pytest.fixture(autouse=True)
def clean(gateway):
    for kept in (gateway.requests, gateway.runs, gateway.resources):
        kept.clear()
    gateway.fails, gateway.broken, gateway.salt = None, None, ""


@pytest.fixture
def someone(portal):
    return lambda name: Visit(portal, getattr(portal.people, name))


@pytest.fixture
def owner(someone):
    """Dora: a developer whose team owns the greeter."""
    return someone("developer")
