"""The command line as a person and a script use it: real commands, in processes, against one real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import httpx
import pytest
import typer
from typer.testing import CliRunner

from flagstone.entrypoints.cli import load_commands
from flagstone.testing.server import wait_until
from tests.e2e.conftest import git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

VALUES = (
    "--set",
    "description=Says hello",
    "--set",
    "owner=group:default/platform-engineering",
)


class Person:
    """Somebody at a terminal, with a home folder of their own."""

    def __init__(self, home, url):
        self.home = home
        self.url = url

    def __call__(self, *arguments, cwd=None, text="", url=None):
        done = self.begin(*arguments, cwd=cwd, url=url)
        out, err = done.communicate(text, timeout=60)
        return subprocess.CompletedProcess(arguments, done.returncode, out, err)

    def begin(self, *arguments, cwd=None, url=None):
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("FLAGSTONE_", "XDG_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "flagstone", *arguments],
            env={**clean, "HOME": str(self.home), "FLAGSTONE_URL": url or self.url},
            cwd=cwd or self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ok(self, *arguments, **options):
        done = self(*arguments, **options)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.ok(*arguments, "--json", **options))


@pytest.fixture(scope="module")
def ada(acme, tmp_path_factory):
    """Signed in with the administrator's token."""
    person = Person(tmp_path_factory.mktemp("ada"), acme.url)
    person.ok("login", "--token", "-", text=acme.token + "\n")
    return person


@pytest.fixture
def stranger(acme, tmp_path):
    """Somebody who is not signed in."""
    return Person(tmp_path, acme.url)


@pytest.fixture(scope="module")
def hello(ada):
    """A service made by the golden path, from the command line."""
    repo = "repoUrl=flagstone?owner=acme&repo=hello"
    run = ada.json("run", "python-web-service", "--set", "name=hello", *VALUES, "--set", repo)
    assert run["state"] == "succeeded"
    wait_until(lambda: ada("describe", "hello").returncode == 0, 20, "the entity")
    return run


def test_a_token_signs_in_is_kept_for_its_owner_alone_and_is_forgotten_again(acme, stranger):
    refused = stranger("whoami")
    assert refused.returncode == 3
    assert f"not signed in to {acme.url}" in refused.stderr
    assert "flagstone login" in refused.stderr
    signed = stranger("login", "--token", "-", text=acme.token + "\n")
    assert signed.returncode == 0
    assert acme.token not in signed.stdout + signed.stderr
    (kept,) = stranger.home.rglob("credentials.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert "admin" in stranger.ok("whoami")
    assert stranger.json("whoami")["role"] == "admin"
    stranger.ok("logout")
    assert acme.token not in kept.read_text()
    assert stranger("whoami").returncode == 3


def make_account(server, username, password, *, role):
    """An account whose owner has signed in with the link and set a password, as in a browser."""
    server.post("/api/v1/users", {"username": username, "role": role})
    link = server.post(f"/api/v1/users/{username}/sign-in-link")["url"]

    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, follow_redirects=True) as browser:
        page = browser.post(link).text
        csrf = re.search(r'name="(?:_csrf|csrf_token)" value="([^"]+)"', page).group(1)
        form = {"csrf_token": csrf, "password": password, "repeated": password, "first": "true", "username": username}
        assert browser.post("/me/password", data=form).status_code == 200


def test_a_password_signs_in_and_the_token_that_it_made_can_be_revoked(acme, ada, stranger):
    make_account(acme, "bo", "a-long-enough-secret-1", role="viewer")
    script = (
        "import pty, os, sys, time\n"
        "pid, fd = pty.fork()\n"
        "if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])\n"
        "time.sleep(2.5); os.write(fd, b'a-long-enough-secret-1\\n')\n"
        "seen = b''\n"
        "try:\n"
        "    while chunk := os.read(fd, 1000): seen += chunk\n"
        "except OSError: pass\n"
        "print(seen.decode())\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("FLAGSTONE_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, sys.executable, "-m", "flagstone", "login", "--username", "bo"],
        env={**clean, "HOME": str(stranger.home), "FLAGSTONE_URL": acme.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a-long-enough-secret-1" not in done.stdout
    assert stranger.json("whoami")["role"] == "viewer"
    denied = stranger("deploy", "orders")
    assert denied.returncode == 3
    assert "role" in denied.stderr
    kept = json.loads(next(stranger.home.rglob("credentials.json")).read_text())
    mine = {"Authorization": f"Bearer {kept['tokens'][acme.url]}"}
    with acme.client() as client:
        (token,) = client.get("/api/v1/tokens", headers=mine).json()["items"]
        assert client.delete(f"/api/v1/tokens/{token['id']}", headers=mine).status_code < 300
    refused = stranger("whoami")
    assert refused.returncode == 3
    assert "revoked" in refused.stderr
    assert "flagstone login" in refused.stderr


def test_a_wrong_token_and_a_server_that_is_away_are_told_with_a_way_out(ada, stranger):
    wrong = stranger("get", "--token", "fs_nonsense")
    assert wrong.returncode == 3
    assert "token" in wrong.stderr
    away = stranger("get", url="http://127.0.0.1:9")
    assert away.returncode == 6
    for part in ("http://127.0.0.1:9", "flagstone up", "--url"):
        assert part in away.stderr
    assert away.stdout == ""
    problem = json.loads(stranger("get", "--json", url="http://127.0.0.1:9").stderr)
    assert problem["code"] == "cli.unreachable"
    assert stranger("login", "--token", "wrong").returncode == 3


def test_entities_are_listed_and_described_for_people_and_programs(ada):
    table = ada.ok("get", "groups")
    assert re.search(r"^KIND +NAME", table)
    assert "platform-engineering" in table
    assert max(len(line.rstrip()) for line in ada.ok("get").splitlines()) < 140
    assert len(ada.json("get", "components", "--limit", "3")) == 3
    owned = ada.json("get", "--owner", "platform-engineering")
    assert owned
    assert all(item["spec"]["owner"].endswith("platform-engineering") for item in owned)
    assert "ownedBy" in ada.ok("describe", "orders")
    assert ada.json("describe", "group:default/checkout")
    unknown = ada("get", "nonsense")
    assert unknown.returncode == 4
    assert "component" in unknown.stderr
    missing = ada("describe", "nothing")
    assert missing.returncode == 4
    assert "component:default/nothing" in missing.stderr


def test_wrong_input_has_exit_code_2_and_says_what_would_be_right(ada):
    for arguments, part in [
        (("frobnicate",), "frobnicate"),
        (("get", "--limit", "many"), "--limit"),
        (("get", "--nonsense"), "--nonsense"),
        (("run", "python-web-service", "--set", "name"), "name=value"),
        (("run", "python-web-service", "--set", "name=Not Good"), "owner"),
        (("run", "python-web-service", "--values", "/no/such/file.yaml"), "/no/such/file.yaml"),
        (("deploy",), "flagstone deploy NAME"),
    ]:
        done = ada(*arguments)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert part in done.stderr
        assert "Traceback" not in done.stderr


def test_a_catalog_file_is_tried_and_registered(acme, ada, hello):
    assert "taken" in ada.ok("register", "acme/hello", "--dry-run")
    assert "Registered hosted:acme/hello" in ada("register", "acme/hello").stderr
    (again,) = [item for item in acme.get("/api/v1/locations", limit=100)["items"] if item["target"] == "acme/hello"]
    with acme.client() as client:
        assert client.delete(f"/api/v1/locations/{again['id']}").status_code == 200
    outside = ada("register", "/etc/passwd")
    assert outside.returncode == 3
    assert "allowed_folders" in outside.stderr
    assert "nothing" in ada("register", "acme/nothing/catalog-info.yaml").stderr


def test_golden_paths_are_listed_and_tell_what_they_ask_for(ada):
    assert "python-web-service" in ada.ok("templates", "list")
    asked = ada.ok("templates", "show", "python-web-service")
    assert re.search(r"^name +string +yes", asked, re.MULTILINE)
    assert ada("templates", "show", "nothing").returncode == 4


def test_actions_are_listed_and_explained(ada):
    listed = ada.ok("actions", "list", "send request")
    assert "http:request" in listed
    assert "fetch:template" not in listed
    shown = ada.ok("actions", "show", "http:request")
    for part in ("repeatable", "Idempotency", "Open a ticket", "action: http:request"):
        assert part in shown
    assert ada.json("actions", "show", "debug:log")["permission"]
    assert ada("actions", "show", "no:such").returncode == 4


def test_a_dry_run_shows_the_plan_and_starts_nothing(ada, tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text("name: planned\ndescription: Says hello\nowner: group:default/checkout\n")
    repo = ("--set", "repoUrl=flagstone?owner=acme&repo=planned")
    before = ada.json("runs", "list")
    text = ada.ok("run", "python-web-service", "--values", str(file), *repo, "--dry-run")
    for part in ("+ app.py", "+ repository acme/planned", "+ entity component:default/planned"):
        assert part in text
    assert ada.json("run", "python-web-service", "--values", str(file), *repo, "--dry-run")["digest"]
    assert ada.json("runs", "list") == before


def test_a_run_is_started_followed_listed_shown_and_its_log_read(ada, hello):
    assert "hello" in ada.ok("runs", "list")
    shown = ada.ok("runs", "show", str(hello["number"]))
    assert re.search(r"^deploy +flagstone:deploy +succeeded", shown, re.MULTILINE)
    for way in (str(hello["number"]), f"run/{hello['number']}"):
        assert "Created acme/hello" in ada.ok("logs", way)
    followed = ada("logs", "-f", f"run/{hello['number']}")
    assert followed.returncode == 0
    assert "Created acme/hello" in followed.stdout + followed.stderr
    for command in ("show", "cancel", "retry"):
        assert ada("runs", command, "9999").returncode == 4
    assert ada("runs", "retry", str(hello["number"])).returncode == 5
    assert "ended before" in ada("runs", "cancel", str(hello["number"])).stderr


def test_status_and_the_live_log_of_a_service(ada, hello):
    assert re.search(r"^hello +development +healthy +r1", ada.ok("status"), re.MULTILINE)
    (row,) = ada.json("status", "hello")
    assert row["state"] == "healthy"
    assert "r1 is healthy" in ada.ok("logs", "hello")
    assert len(ada.ok("logs", "hello", "-n", "1").splitlines()) == 1
    assert ada("logs", "orders").returncode == 4
    follower = ada.begin("logs", "-f", "hello")
    try:
        time.sleep(1.5)
        assert httpx.get(f"{row['url']}api/hello?name=cli").status_code == 200
        wait_until(lambda: "/api/hello" in follower.stdout.readline(), 15, "the line of the request")
    finally:
        follower.terminate()
        follower.communicate(timeout=10)


def test_a_change_is_deployed_from_the_folder_of_a_clone(acme, ada, hello, tmp_path):
    git("clone", "-q", f"{acme.url}/git/acme/hello.git", "work", cwd=tmp_path, server=acme)
    work = tmp_path / "work"
    (work / "app.py").write_text((work / "app.py").read_text() + "\n# changed\n")
    git("commit", "-qam", "Change", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work, server=acme)
    done = ada("deploy", cwd=work)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout
    assert ada.json("status", cwd=work)[0]["release"]["version"] == "r2"
    assert "r2 is healthy" in ada.ok("logs", cwd=work)
    assert ada("deploy", "nothing").returncode == 4
    queued = ada("deploy", "--no-follow", cwd=work)
    assert queued.returncode == 0
    number = re.search(r"flagstone logs -f run/(\d+)", queued.stderr).group(1)
    assert acme.wait_for_run(number)["state"] == "succeeded"


def test_a_reader_that_leaves_a_pipe_is_no_failure(ada):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; HOME={ada.home} {sys.executable} -m flagstone get all --limit 100 | head -1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FLAGSTONE_URL": ada.url},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_stop_start_and_delete(ada, hello):
    ada.ok("stop", "hello")
    assert ada.json("status", "hello")[0]["state"] == "stopped"
    ada.ok("start", "hello")
    assert ada.json("status", "hello")[0]["state"] == "healthy"
    unsure = ada("delete", "hello")
    assert unsure.returncode == 2
    assert "--yes" in unsure.stderr
    assert "repository acme/hello" in ada("delete", "hello", "--dry-run").stderr
    ada.ok("delete", "hello", "--yes")
    wait_until(lambda: ada("describe", "hello").returncode == 4, 20, "the entity to go")
    assert ada.json("status") == []


def test_every_command_explains_itself():
    app = load_commands()

    def paths(command, path=()):
        yield path
        for name, child in getattr(command, "commands", {}).items():
            yield from paths(child, (*path, name))

    for path in paths(typer.main.get_command(app)):
        shown = CliRunner().invoke(app, [*path, "--help"])
        assert shown.exit_code == 0, path
        assert "Usage" in shown.output
        assert len(shown.output.splitlines()) > 3
