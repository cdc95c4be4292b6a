"""The real portal with the example organisation, a few odd templates, and a platform that takes notes."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from bs4 import BeautifulSoup

from flagstone.testing.portal import PortalApp, RecordingGateway

ODD = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: odd, title: Odd one, tags: [deprecated]}
spec:
  type: service
  owner: group:default/platform-engineering
  parameters:
    title: Everything
    required: [name, token]
    properties:
      name: {type: string}
      token: {type: string, ui:field: Secret, title: Access token}
      ports:
        type: array
        title: Ports
        items:
          type: object
          required: [port]
          properties: {port: {type: integer, title: Port}, public: {type: boolean, default: true, title: Public}}
      cost: {type: string, ui:field: CostPicker}
      mine: {type: string, ui:field: MyGroupsPicker, title: My group}
      system: {type: string, ui:field: EntityPicker, ui:options: {catalogFilter: {kind: System}, allowArbitraryValues: false}}
  steps:
    - action: debug:log
      input: {message: "${{ parameters.name }} <script>alert(1)</script>"}
    - {id: second, name: Second, action: debug:log, if: "${{ parameters.name }}", each: [1, 2]}
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: bare, title: Without a form}
spec:
  type: service
  owner: group:default/platform-engineering
  steps: [{id: a, action: debug:log}]
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: sealed, title: With a secret that has a form}
spec:
  type: service
  owner: group:default/platform-engineering
  secrets: {schema: {required: [token], properties: {token: {type: string, pattern: "^tok_[a-z0-9-]+$"}}}}
  parameters:
    required: [token]
    properties: {token: {type: string, ui:field: Secret, title: Access token}}
  steps: [{id: a, action: debug:log, timeout: 10m}]
"""


class Visit:
    """A person who fills in forms without JavaScript: plain GET and POST, nothing else."""

    def __init__(self, portal, person):
        self.http = portal.client(person)
        self.answer = None
        self.moved_to = None

    def get(self, path, status=200, **headers):
        self.answer = self.http.get(path, headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        self.moved_to = self.answer.headers.get("location", self.moved_to)
        return self.page

    def post(self, path, fields, status=303, **headers):
        body = urlencode(fields)
        headers = {"content-type": "application/x-www-form-urlencoded", **headers}
        self.answer = self.http.post(path, content=body, headers=headers)
        assert self.answer.status_code == status, self.answer.text[:3000]
        self.moved_to = self.answer.headers.get("location", self.moved_to)
        return self.page

    @property
    def page(self):
        return BeautifulSoup(self.answer.text, "html.parser")

    @property
    def location(self):
        """Where the last redirect led."""
        return self.moved_to

    def fields(self, **answers):
        """What a browser would post of the form on the page, with some answers changed."""
        pairs = []
        for item in self.page.select("#wizard input, #wizard select, #wizard textarea, form.p-wizard-foot input"):
            name = item.get("name")
            if not name or item.has_attr("disabled"):
                continue
            if item.name == "select":
                chosen = item.select_one("option[selected]") or item.select_one("option")
                pairs.append((name, chosen["value"] if chosen else ""))
            elif item.name == "textarea":
                pairs.append((name, item.text))
            elif item.get("type") not in ("checkbox", "radio") or item.has_attr("checked"):
                pairs.append((name, item.get("value", "")))
        for name, value in answers.items():
            pairs = [pair for pair in pairs if pair[0] != name]
            pairs += [(name, item) for item in (value if isinstance(value, list) else [value])]
        return pairs

    def send(self, status=303, **answers):
        path = self.page.select_one("form#wizard, form.p-wizard-foot")["action"]
        return self.post(path, self.fields(**answers), status)

    def follow(self):
        return self.get(self.location)

    @property
    def draft(self):
        return parse_qs(urlsplit(self.location).query)["draft"][0]

    def errors(self):
        return {re.sub(r"^f-|-e$", "", item["id"]): item.text for item in self.page.select(".p-field-error[id]")}


@pytest.fixture(scope="module")
def gateway():
    return RecordingGateway()


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    folder = tmp_path_factory.mktemp("portal")
    odd = folder / "odd.yaml"
    odd.write_text(ODD)
    app = PortalApp(folder / "data", gateway, [("file", str(odd))])
    yield app
    app.stop()


@pytest.fixture
def visit(portal, gateway):
    gateway.salt, gateway.fails = "", None
    gateway.requests.clear()
    return Visit(portal, portal.people.developer)


@pytest.fixture
def someone(portal):
    return lambda name: Visit(portal, getattr(portal.people, name))
