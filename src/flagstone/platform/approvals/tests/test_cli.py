"""The commands: find, see, decide and delegate requests; approve and answer runs."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading

import httpx
import pytest
import typer
import uvicorn
from fastapi import FastAPI, Request
from typer.testing import CliRunner

from flagstone.kernel.actor import ANONYMOUS
from flagstone.platform.approvals import api, cli
from flagstone.platform.runs import api as runs_api
from flagstone.platform.runs import cli as runs_cli
from flagstone.toolkit.web.problems import install

from .conftest import ANN, BOB, CYD

PEOPLE = {"ann": ANN, "bob": BOB, "cyd": CYD}
RULE = {"of": ["group:default/platform"], "reason": "Because"}


@pytest.fixture(scope="module")
def url(world):
    app = FastAPI()
    app.state.access = world.access
    install(app, None)

    @app.middleware("http")
    async def sign_in(request: Request, call_next):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        request.state.principal = PEOPLE.get(token, ANONYMOUS)
        return await call_next(request)

    app.include_router(api.router(world.approvals))
    app.include_router(runs_api.router(world.parts))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture
def flagstone(url, monkeypatch):
    """The command line: (who, arguments) -> (exit code, what it printed)."""
    app = typer.Typer()
    cli.register(app)
    runs_cli.register(app)

    def call(who, *arguments):
        found = CliRunner().invoke(app, [*arguments, "--url", url, "--token", who])
        return found.exit_code, " ".join(found.output.split())

    with httpx.HTTPTransport() as transport:
        session = importlib.import_module("flagstone.toolkit.cli.session")
        monkeypatch.setattr(session._Transport, "value", transport)
        yield call


def waiting(world, **rule):
    run = world.wait(world.go([{"input": {"text": "hi there"}}], approvals=[{**RULE, **rule}]).id, "waiting")
    return run, world.pending(run)[0]


def test_requests_are_found_seen_delegated_and_decided(world, flagstone):
    run, request = waiting(world, count=2)
    assert request.id in flagstone("bob", "approvals", "list", "--json")[1]
    assert request.id not in flagstone("ann", "approvals", "list", "--json")[1]
    assert request.id in flagstone("ann", "approvals", "list", "--by-me", "--json")[1]
    shown = flagstone("bob", "approvals", "show", request.id)[1]
    for words in ("pending: 0/2 agreed", "Because", "hi there", "You may decide it."):
        assert words in shown
    assert "may decide in your place" in flagstone("bob", "approvals", "delegate", request.id, "user:default/zoe")[1]
    code, said = flagstone("bob", "approvals", "approve", request.id, "-m", "Fine")
    assert (code, said) == (0, f"Run {run.number}: pending, 1/2 agreed.")
    assert "Bob: approve - Fine" in flagstone("cyd", "approvals", "show", request.id)[1]
    code, said = flagstone("cyd", "approvals", "reject", request.id, "-m", "No")
    assert (code, said) == (0, f"Run {run.number}: rejected, 1/2 agreed.")
    assert world.wait(run.id).state == "failed"


def test_a_run_is_approved_by_its_number_and_says_why_not(world, flagstone):
    run, _ = waiting(world)
    code, said = flagstone("ann", "runs", "approve", str(run.number))
    assert code == 5
    assert "You asked for it yourself" in said
    assert flagstone("bob", "runs", "approve", str(run.number))[1] == f"Run {run.number}: approved, 1/1 agreed."
    assert world.wait(run.id).state == "succeeded"
    assert "does not wait for your approval" in flagstone("bob", "runs", "approve", str(run.number))[1]


def test_an_answer_needs_a_step_that_asks(world, flagstone):
    run, _ = waiting(world)
    code, said = flagstone("ann", "runs", "answer", str(run.number), "s1", "--value", "size=3")
    assert code == 4
    assert "asks for input" in said
    assert flagstone("ann", "runs", "answer", str(run.number), "s1", "--value", "size")[0] == 2
