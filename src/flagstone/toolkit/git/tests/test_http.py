"""Smart HTTP with the real git client against a real server."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime

import httpx
import psutil
import pytest
import uvicorn

from flagstone.kernel.errors import Denied, NotFound, Unauthenticated
from flagstone.toolkit.git import Author, GitEnvironment, GitHttp, GitRepository

ANN = Author("Ann", "ann@acme.example")


class Site:
    """A served repository, and what the callbacks heard."""

    def __init__(self, tmp_path, **options):
        self.environment = GitEnvironment(tmp_path / "home")
        self.repository = GitRepository(tmp_path / "srv" / "acme" / "shop.git", self.environment)
        self.repository.init_bare("main")
        self.pushes = []
        self.app = GitHttp(self.environment, self.authorize, self.pushed, **options)

    def authorize(self, scope, name, service):
        headers = dict(scope["headers"])
        if b"authorization" not in headers:
            raise Unauthenticated("t.nobody", "Git needs a token.", hint="Make one.")
        if name != "acme/shop":
            raise NotFound("t.none", f"There is no repository {name}.")
        if service == "git-receive-pack" and b"cmVhZGVy" in headers[b"authorization"]:
            raise Denied("t.denied", "You may not push here.", hint="Ask the owner.")
        return self.repository

    def pushed(self, scope, name, before, after):
        self.pushes.append((name, dict(before), dict(after)))


@pytest.fixture
def serve():
    servers = []

    def serve(app):
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        servers.append((server, thread, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for server, thread, listener in servers:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture
def site(tmp_path, serve):
    site = Site(tmp_path)
    site.url = serve(site.app)
    return site


def git(*args, cwd=None, check=True):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=Bob", "-c", "user.email=bob@acme.example", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def remote(site, user="writer"):
    return site.url.replace("http://", f"http://{user}:token@") + "/acme/shop.git"


def seed(site, files=None):
    files = files or {"README.md": (b"hello\n", False)}
    return site.repository.commit_tree(
        files, message="Seed", author=ANN, branch="main", date=datetime(2026, 1, 1, tzinfo=UTC)
    )


def test_clone_change_push_and_the_push_is_reported(site, tmp_path):
    first = seed(site)
    work = tmp_path / "work"
    git("clone", "-q", remote(site), str(work))
    assert (work / "README.md").read_text() == "hello\n"
    (work / "README.md").write_text("changed\n")
    git("commit", "-qam", "Change", cwd=work)
    assert git("push", "-q", "origin", "main", cwd=work).stderr == ""
    second = site.repository.head("main")
    assert second == git("rev-parse", "HEAD", cwd=work).stdout.strip() != first
    assert site.pushes == [("acme/shop", {"refs/heads/main": first}, {"refs/heads/main": second})]


def test_a_large_push_and_clone_pass(site, tmp_path):
    work = tmp_path / "work"
    git("init", "-q", str(work))
    for number in range(20):
        (work / f"big{number}").write_bytes(os.urandom(1_000_000))
    git("add", "-A", cwd=work)
    git("commit", "-qm", "Big", cwd=work)
    git("push", "-q", remote(site), "main", "main:other", cwd=work)
    assert set(site.pushes[0][2]) == {"refs/heads/main", "refs/heads/other"}
    git("clone", "-q", "--depth=1", remote(site), str(tmp_path / "copy"))
    assert (tmp_path / "copy/big7").read_bytes() == (work / "big7").read_bytes()


def test_a_fetch_with_a_compressed_request_works(site, tmp_path):
    last = seed(site)
    for number in range(60):  # many "have" lines make git compress its request
        last = site.repository.commit_tree(
            {"n": (str(number).encode(), False)},
            message=f"{number}",
            author=ANN,
            branch="main",
            date=datetime(2026, 1, 1, tzinfo=UTC),
            parents=[last],
        )
    work = tmp_path / "work"
    git("clone", "-q", remote(site), str(work))
    for number in range(60):
        git("commit", "-q", "--allow-empty", "-m", f"local {number}", cwd=work)
    site.repository.commit_tree(
        {"n": (b"new", False)},
        message="new",
        author=ANN,
        branch="main",
        date=datetime(2026, 1, 1, tzinfo=UTC),
        parents=[last],
    )
    git("fetch", "-q", cwd=work)
    body = gzip.compress(b"0014command=ls-refs\n0000")
    headers = {
        "content-encoding": "gzip",
        "content-type": "application/x-git-upload-pack-request",
        "git-protocol": "version=2",
    }
    answer = httpx.post(f"{site.url}/acme/shop.git/git-upload-pack", content=body, headers=headers, auth=("a", "b"))
    assert answer.status_code == 200
    assert b"refs/heads/main" in answer.content


def test_nobody_is_asked_for_a_token(site):
    answer = httpx.get(f"{site.url}/acme/shop.git/info/refs?service=git-upload-pack")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "Make one." in answer.text


def test_an_unknown_repository_is_not_found(site):
    done = git("clone", remote(site).replace("shop", "nothing"), "/nonexistent/x", check=False)
    assert done.returncode != 0
    assert "not found" in done.stderr


def test_who_may_not_push_is_told_so(site, tmp_path):
    seed(site)
    git("clone", "-q", remote(site, "reader"), str(tmp_path / "work"))
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=tmp_path / "work")
    done = git("push", "origin", "main", cwd=tmp_path / "work", check=False)
    assert done.returncode != 0
    assert "403" in done.stderr or "You may not push here" in done.stderr
    assert site.pushes == []


@pytest.mark.parametrize(
    "path",
    [
        "/acme/shop.git/HEAD",
        "/acme/shop.git/objects/info/packs",
        "/acme/shop.git/info/refs",
        "/acme/shop.git/config",
        "/acme/shop.git/info/refs?service=git-evil",
        "/acme/../acme/shop.git/HEAD",
        "/",
    ],
)
def test_files_of_the_repository_are_not_served(site, path):
    seed(site)
    assert httpx.get(site.url + path, auth=("a", "b")).status_code == 404


def test_a_push_that_is_too_large_is_refused(tmp_path, serve):
    site = Site(tmp_path, max_body=200_000)
    site.url = serve(site.app)
    work = tmp_path / "work"
    git("init", "-q", str(work))
    (work / "big").write_bytes(os.urandom(3_000_000))
    git("add", "-A", cwd=work)
    git("commit", "-qm", "Big", cwd=work)
    done = git("push", remote(site), "main", cwd=work, check=False)
    assert done.returncode != 0
    assert site.repository.head("main") is None
    assert site.pushes == []
    assert backends(tmp_path) == []


def test_hooks_planted_in_a_repository_do_not_run(site, tmp_path):
    hook = site.repository.path / "hooks" / "post-receive"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    work = tmp_path / "work"
    git("init", "-q", str(work))
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=work)
    git("push", "-q", remote(site), "main", cwd=work)
    assert len(site.pushes) == 1
    assert not (tmp_path / "ran").exists()


def backends(tmp_path):
    mark = str(tmp_path)
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("git") and mark in process.environ().get("GIT_PROJECT_ROOT", ""):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_git_ends_with_its_client(site, tmp_path):
    address = site.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as client:
        client.sendall(
            b"POST /acme/shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n"
            b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n0000"
        )
        deadline = time.monotonic() + 10
        while not backends(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert backends(tmp_path)
    deadline = time.monotonic() + 10
    while backends(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert backends(tmp_path) == []


def test_more_clients_than_slots_all_get_their_turn(tmp_path, serve):
    site = Site(tmp_path, concurrency=2)
    site.url = serve(site.app)
    seed(site)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: git("clone", "-q", remote(site), str(tmp_path / f"c{n}")), range(12)))
    assert all((tmp_path / f"c{n}/README.md").exists() for n in range(12))
