"""The API and git itself, with the real git client."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import threading

import httpx
import pytest
import typer
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from typer.testing import CliRunner

from flagstone.kernel.actor import ANONYMOUS
from flagstone.kernel.errors import FlagstoneError, Unauthenticated
from flagstone.platform.repositories import RepositoriesSettings, api, cli

from .conftest import ADA, VIC

TOKENS = {"ada-token": ADA, "vic-token": VIC}


def principal_for_token(token):
    if token not in TOKENS:
        raise Unauthenticated("identity.bad_token", "The token is not valid.")
    return TOKENS[token]


@pytest.fixture
def url(hosting):
    app = FastAPI()
    app.state.access = hosting.access

    @app.middleware("http")
    async def sign_in(request: Request, call_next):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        request.state.principal = TOKENS.get(token, ANONYMOUS)
        return await call_next(request)

    @app.exception_handler(FlagstoneError)
    async def problem(request, error):
        return JSONResponse(error.as_dict(), error.status)

    app.include_router(api.router(hosting.service, hosting.changes))
    app.mount(
        "/git",
        api.git_app(
            hosting.service,
            hosting.pushes,
            hosting.changes,
            hosting.folders.environment,
            principal_for_token,
            RepositoriesSettings(),
        ),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listener.close()


def git(*args, cwd=None, check=True):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "user.name=Bob", "-c", "user.email=bob@acme.example", *args]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=check)


def remote(url, token="ada-token", name="acme/shop"):
    return url.replace("http://", f"http://ada:{token}@") + f"/git/{name}.git"


def test_a_push_is_known_when_git_says_that_it_is_done(hosting, url, tmp_path):
    hosting.service.create("acme/shop", ADA, files={"a.txt": (b"1\n", False)})
    git("clone", "-q", remote(url), str(tmp_path / "work"))
    (tmp_path / "work/a.txt").write_text("2\n")
    git("commit", "-qam", "Change", cwd=tmp_path / "work")
    git("push", "-q", cwd=tmp_path / "work")
    [event] = hosting.heard()
    assert event.data["paths"] == ["a.txt"]
    assert event.actor == ADA.id
    answer = httpx.get(
        f"{url}/api/v1/repositories/acme/shop/files/a.txt", headers={"authorization": "Bearer vic-token"}
    )
    assert answer.json()["text"] == "2\n"


def test_a_viewer_may_clone_and_not_push(hosting, url, tmp_path):
    hosting.service.create("acme/shop", ADA, files={"a.txt": (b"1\n", False)})
    git("clone", "-q", remote(url, "vic-token"), str(tmp_path / "work"))
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=tmp_path / "work")
    assert git("push", cwd=tmp_path / "work", check=False).returncode != 0
    assert hosting.heard() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nothing"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic YTo="},
        {"authorization": "Basic YTpiYWQ="},
        {"cookie": "flagstone_session=x"},
        {"authorization": "Digest x"},
    ],
)
def test_without_a_good_token_git_is_asked_for_one(url, headers):
    answer = httpx.get(f"{url}/git/acme/shop.git/info/refs?service=git-upload-pack", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_cloning_what_is_not_there_is_not_found(url):
    answer = httpx.get(f"{url}/git/acme/none.git/info/refs?service=git-upload-pack", auth=("x", "ada-token"))
    assert answer.status_code == 404


def test_the_api_lists_and_shows(hosting, url):
    made = hosting.service.create("acme/shop", ADA, files={"a/b.txt": (b"1\n", False)})
    with httpx.Client(base_url=f"{url}/api/v1/repositories", headers={"authorization": "Bearer vic-token"}) as client:
        assert client.get("?limit=5", follow_redirects=True).json()["items"][0]["name"] == "acme/shop"
        assert client.get("/acme/shop").json()["head"] == made.created_commit
        assert [item["path"] for item in client.get("/acme/shop/tree").json()["items"]] == ["a", "a/b.txt"]
        assert client.get("/acme/shop/commits").json()["items"][0]["id"] == made.created_commit
        assert client.get("/acme/shop/files/a/b.txt", params={"commit": made.created_commit}).json()["text"] == "1\n"
        assert client.get("/acme/shop/files/a/b.txt", params={"commit": "HEAD"}).status_code == 422
        assert client.get("/acme/shop/files/none").status_code == 404
        assert client.get("/acme/none").status_code == 404
    assert httpx.get(f"{url}/api/v1/repositories").status_code == 401


@pytest.fixture
def flagstone(url, monkeypatch):
    """The command line: (arguments) -> (exit code, what it printed)."""
    app = typer.Typer()
    cli.register(app)

    def call(*arguments, token="ada-token"):
        found = CliRunner().invoke(app, [*arguments, "--url", url, "--token", token])
        return found.exit_code, found.output

    with httpx.HTTPTransport() as transport:
        session = importlib.import_module("flagstone.toolkit.cli.session")
        monkeypatch.setattr(session._Transport, "value", transport)
        yield call


def test_a_pushed_branch_becomes_a_change_request_that_the_command_line_merges(hosting, url, flagstone, tmp_path):
    hosting.service.create("acme/shop", ADA, files={"a.txt": (b"a\n", False)}, owner="group:default/payments")
    clone = tmp_path / "clone"
    address = f"{url}/git/acme/shop.git".replace("http://", "http://ada:ada-token@")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.example")
    for command in (
        ("clone", "-q", address, str(clone)),
        ("-C", str(clone), "checkout", "-q", "-b", "feature"),
        ("-C", str(clone), *who, "commit", "-q", "--allow-empty", "-m", "Nothing yet"),
        ("-C", str(clone), "push", "-q", "origin", "feature"),
    ):
        subprocess.run(["git", *command], check=True, capture_output=True)
    here = f"{url}/api/v1/repositories/acme/shop"
    ask = {"Authorization": "Bearer ada-token"}
    branches = httpx.get(f"{here}/branches", headers=ask).json()["items"]
    assert [item["name"] for item in branches] == ["main", "feature"]
    made = httpx.post(f"{here}/changes", headers=ask, json={"title": "Feature", "branch": "feature"})
    assert (made.status_code, made.json()["number"], made.json()["mergeable"]) == (201, 1, "clean")
    assert httpx.post(f"{here}/changes/1/merge", headers={"Authorization": "Bearer vic-token"}).status_code == 403
    assert httpx.get(f"{here}/changes?state=merged", headers=ask).json()["items"] == []
    # A push to its branch is seen, and what it brings is shown.
    (clone / "b.txt").write_text("b\n")
    for command in (("add", "b.txt"), (*who, "commit", "-q", "-m", "b"), ("push", "-q", "origin", "feature")):
        subprocess.run(["git", "-C", str(clone), *command], check=True, capture_output=True)
    assert "Feature" in flagstone("repos", "changes", "list", "acme/shop")[1]
    code, text = flagstone("repos", "changes", "show", "acme/shop", "1")
    assert code == 0
    assert "It can be merged" in text
    assert "+b" in text
    assert flagstone("repos", "changes", "close", "acme/shop", "1", token="vic-token")[0] != 0
    assert "Merged #1 into main" in flagstone("repos", "changes", "merge", "acme/shop", "1")[1]
    assert {entry.path for entry in hosting.service.tree("acme/shop", VIC)} == {"a.txt", "b.txt"}
    assert "acme/shop" in flagstone("repos", "list")[1]
