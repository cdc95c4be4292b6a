"""Approvals over HTTP, as programs use them."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request

from flagstone.kernel.actor import ANONYMOUS
from flagstone.platform.approvals import api
from flagstone.testing.client import Client
from flagstone.toolkit.web.problems import install

from .conftest import ANN, BOB, EVE

PEOPLE = {"ann": ANN, "bob": BOB, "eve": EVE}


@pytest.fixture(scope="module")
def client(world):
    app = FastAPI()
    app.state.access = world.access
    install(app, None)

    @app.middleware("http")
    async def sign_in(request: Request, call_next):
        request.state.principal = PEOPLE.get(request.headers.get("x-person", ""), ANONYMOUS)
        return await call_next(request)

    app.include_router(api.router(world.approvals))
    return Client(app, headers={"x-person": "bob"})


def test_a_request_is_found_seen_and_decided(client, world):
    run, request = world.ask(message="Please.")
    url = f"/api/v1/approvals/{request.id}"
    [found] = client.get(f"/api/v1/approvals?mine=true&run_id={run.id}").json()["items"]
    assert (found["id"], found["message"], found["may_decide"]) == (request.id, "Please.", True)
    assert client.get("/api/v1/approvals/count").json()["count"] >= 1
    assert client.get(f"{url}/plan").json() == {"plan": None}
    assert client.post(f"{url}/delegation", json={"to": "group:default/x"}).status_code == 422
    assert client.post(f"{url}/delegation", json={"to": "user:default/zoe"}).json()["delegations"][0]["to"]
    for person, status, code in (
        ("nobody", 401, "access.not_signed_in"),
        ("ann", 403, "approvals.own_request"),
        ("eve", 403, "approvals.not_asked"),
    ):
        answer = client.post(f"{url}/decision", json={"verdict": "approve"}, headers={"x-person": person})
        assert answer.status_code == status
        assert person == "nobody" or answer.json()["code"] == code
    assert client.post(f"{url}/decision", json={"verdict": "perhaps"}).status_code == 422
    assert client.post(f"{url}/decision", json={"verdict": "approve", "plan_digest": "x"}).status_code == 409
    done = client.post(f"{url}/decision", json={"verdict": "approve", "comment": "ok"})
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert client.post(f"{url}/decision", json={"verdict": "approve"}).status_code == 200, "a double click"
    assert client.get("/api/v1/approvals/nope").status_code == 404
    assert client.get("/api/v1/approvals?state=nonsense").status_code == 422
    world.wait(run.id)
