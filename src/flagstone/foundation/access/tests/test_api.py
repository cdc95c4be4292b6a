"""Guards on routes, the census, and explaining decisions."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from flagstone.foundation.access import api, census, permit, public
from flagstone.foundation.audit import AuditQuery
from flagstone.kernel.actor import Principal
from flagstone.sdk import Permission
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation

OWNED = Permission("things.delete", "Delete things", "maintainer", owner=True)


def helper(principal: Annotated[Principal, permit("g.h")]) -> Principal:
    return principal


def things() -> APIRouter:
    router = APIRouter(prefix="/things")

    @router.get("/open")
    def open_to_all(principal: Annotated[Principal, public("a test")]) -> str:
        return principal.name

    @router.delete("/{name}")
    def delete(name: str, principal: Annotated[Principal, permit("things.delete")]) -> str:
        return principal.name

    return router


@pytest.fixture
def foundation(database):
    return Foundation(database, permissions=[OWNED])


@pytest.fixture
def people(foundation):
    return foundation.people()


@pytest.fixture
def client(foundation):
    return Client(foundation.app(things(), api.router(foundation.access)))


def test_a_guarded_route_answers_by_role(client, people, foundation):
    assert client.delete("/things/a").status_code == 401
    assert client.delete("/things/a", headers=people.viewer.headers).status_code == 403
    assert client.delete("/things/a", headers=people.developer.headers).status_code == 200, (
        "might own it: the service decides"
    )
    assert client.delete("/things/a", headers=people.maintainer.headers).json() == "Mona"
    (row,) = foundation.audit.list(AuditQuery(outcome="denied")).items
    assert (row.actor_name, row.action, row.resource) == ("Vera", "things.delete", "/things/a")


def test_a_public_route_knows_who_comes_but_asks_nobody(client, people):
    assert client.get("/things/open").json() == "anonymous"
    assert client.get("/things/open", headers=people.viewer.headers).json() == "Vera"


def test_a_refusal_is_a_problem_that_says_what_to_do(client, people):
    body = client.delete("/things/a", headers=people.viewer.headers).json()
    assert body["code"] == "access.denied"
    assert "things.delete" in body["detail"]
    assert "administrator" in body["hint"]
    assert body["request_id"]


def test_the_own_decision_is_explained(client, people):
    def explain(**query):
        return client.get("/api/v1/access/explain", params=query, headers=people.developer.headers).json()

    mine = explain(permission="things.delete", owner="group:default/payments")
    assert (mine["allowed"], mine["reason"]) == (True, "Owners have things.delete.")
    other = explain(permission="things.delete", owner="group:default/logistics")
    assert (other["allowed"], other["role"]) == (False, "developer")
    assert "group:default/logistics" in other["hint"]
    assert explain(permission="no.such")["allowed"] is False
    assert client.get("/api/v1/access/explain?permission=x").status_code == 401


def test_all_permissions_are_listed_with_ones_own_answer(client, people):
    body = client.get("/api/v1/access/permissions", headers=people.viewer.headers).json()
    found = {item["name"]: item for item in body["items"]}
    assert found["things.delete"] == {
        "name": "things.delete",
        "description": "Delete things",
        "role": "maintainer",
        "owner": True,
        "allowed": False,
    }
    assert found["access.read"]["allowed"] is True
    assert {"*", "read", "things", "access"} <= set(body["scopes"])


def test_the_census_finds_every_route_through_routers_hosts_and_mounts():
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")

    @inner.get("/naked")
    def naked() -> None: ...

    @inner.post("/twice", dependencies=[permit("a.b")])
    def twice(_: Annotated[Principal, permit("c.d")]) -> None: ...

    @inner.websocket("/socket")
    async def socket(_: Annotated[Principal, permit("e.f")]) -> None: ...

    @outer.get("/nested")
    def nested(_: Annotated[Principal, Depends(helper)]) -> None: ...

    outer.include_router(inner)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(outer, prefix="/v1")
    app.include_router(things())
    sub = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    sub.include_router(things())
    app.mount("/sub", sub)

    async def raw(scope, receive, send): ...

    app.mount("/git", raw)
    app.routes.append(Route("/plain", lambda request: PlainTextResponse("")))
    app.routes.append(WebSocketRoute("/ws", raw))
    app.routes.append(Mount("/m", routes=[Route("/deep", lambda request: PlainTextResponse(""))]))

    found = {(item.path, item.kind): item for item in census(app)}
    assert found["/v1/outer/inner/naked", "route"].guards == ()
    assert len(found["/v1/outer/inner/twice", "route"].guards) == 2
    assert found["/v1/outer/inner/twice", "route"].permission is None
    assert found["/v1/outer/inner/socket", "websocket"].permission == "e.f"
    assert found["/v1/outer/nested", "route"].permission == "g.h"
    assert found["/things/{name}", "route"].permission == "things.delete"
    assert found["/things/open", "route"].public == "a test"
    assert found["/sub/things/{name}", "route"].permission == "things.delete"
    assert found["/git", "mount"].guards == ()
    assert found["/plain", "route"].guards == ()
    assert found["/ws", "websocket"].guards == ()
    assert found["/m/deep", "route"].guards == ()
    assert len(found) == 12
