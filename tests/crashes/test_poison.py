"""The corpus of poisonous templates, each a whole run: stopped by a limit that is named, the worker alive, others unaffected.

The limits themselves are tested where they are; here it is that one run cannot harm another.
"""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from flagstone.builtin.actions import permissions, plugin
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.platform.runs.service.tools import StepTools
from flagstone.platform.runs.tests.harness import ANN, Harness
from flagstone.sdk import Action, Inputs
from flagstone.toolkit.db import PlatformDatabase

ADMIN = replace(ANN, role="admin")
SECRET = "canary-9c41-of-the-corpus"
ENDLESS = "{% for a in range(100000) %}{% for b in range(100000) %}{{ a * b }}{% endfor %}{% endfor %}"
FLOOD = "{% for a in range(99999) %}" + "x" * 100_000 + "{% endfor %}"
SKELETONS = {
    "endless": {"endless.txt": ENDLESS},
    "flood": {"flood.txt": FLOOD},
    "regex": {"regex.txt": "{{ ('a' * 40000) | replace(r/(a+)+$/, 'b') }}"},
    "bulky": {f"part-{number}.txt": "x" * 900_000 for number in range(12)},
    "linked": {"a.txt": "a"},
}


def fetch(name, **more):
    return {"action": "fetch:template", "input": {"url": f"./{name}", **more}}


def command(*argv, **more):
    return {"action": "flagstone:command", "input": {"command": list(argv), **more}}


def log(message):
    return {"action": "debug:log", "input": {"message": message}}


def replacing(find, text="a" * 3_000 + "!"):
    return [
        {"action": "roadiehq:utils:fs:write", "input": {"path": "a.txt", "content": text}},
        {
            "action": "roadiehq:utils:fs:replace",
            "input": {"files": [{"file": "a.txt", "find": find, "matchRegex": True, "replaceWith": "b"}]},
        },
    ]


FORKS = "import os, time\nfor _ in range(1000):\n    os.fork()\ntime.sleep(60)"
CORPUS = {
    "an endless loop in a file": ([fetch("endless")], "limit: "),
    "an endless loop in an expression": ([log("${{ range(99999999) | length }}")], "limit"),
    "an endless loop in a program": ([command("sh", "-c", "while :; do :; done", timeoutSeconds=0.5)], "time_limit"),
    "10 GB from a template": ([fetch("flood")], "longer than"),
    "10 GB on the screen": ([command("yes", "spam")], "output_limit"),
    "10 GB in a file": ([command("sh", "-c", "head -c 10G /dev/zero > huge; test -s huge && exit 9")], "code"),
    "10 GB in many files": (
        [command("sh", "-c", "for i in $(seq 100); do truncate -s 100M big$i; done; sleep 60")],
        "folder_limit",
    ),
    "more than the workspace may hold": ([fetch("bulky")], "runs.workspace_bytes"),
    "a fork bomb": ([command("python3", "-c", FORKS)], "process_limit"),
    "a link in the skeleton": ([fetch("linked")], "link"),
    "a link that a program leaves": (
        [command("ln", "-s", "/etc", "out"), {"action": "roadiehq:utils:fs:parse", "input": {"path": "out/hostname"}}],
        "link",
    ),
    "a file outside by ..": ([fetch("linked", targetPath="../../x")], "goes up"),
    "a name of a file with ..": (
        [{"action": "fs:rename", "input": {"files": [{"from": "a", "to": "../../../x"}]}}],
        "goes up",
    ),
    "a regular expression that takes for ever": (replacing("(a+)+$"), ""),
    "a regular expression with thousands of groups": (replacing("(" * 4_000 + "a" + ")" * 4_000), "groups"),
    "a regular expression of a megabyte": (replacing("(ab|cd)" * 150_000), "characters"),
    "a regular expression that is costly": (replacing("((a?){100}){10}c", "a" * 1_000_000), "pattern_too_costly"),
    "a regular expression in a file": ([fetch("regex")], ""),
}
"""What it is -> its steps, and what the error names. Empty: it does no harm, so it is no error."""


class Shout(Action):
    """Writes as many lines as it is told to, many at a time."""

    id = "test:shout"
    title = "Shout"

    class Input(Inputs):
        lines: int

    def run(self, ctx, inputs):
        for first in range(0, inputs.lines, 10_000):
            ctx.log("\n".join(f"line {number}" for number in range(first, first + 10_000)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poison")
    for name, files in SKELETONS.items():
        (folder / name).mkdir()
        for path, text in files.items():
            (folder / name / path).write_text(text)
    (folder / "linked" / "passwd").symlink_to("/etc/passwd")
    settings = ActionsSettings(
        commands=("*",), command_isolation="best", command_output_bytes=200_000, command_processes=16
    )

    def actions(harness):
        harness.access.register(permissions.PERMISSIONS)
        return [Shout(), *plugin.actions(StepTools(workspace_bytes=8_000_000), settings)]

    made = Harness(
        folder,
        extend=actions,
        concurrency=2,
        workspace_bytes=8_000_000,
        log_lines_per_step=2_000,
        log_bytes_per_step=100_000,
    ).start()
    yield made
    made.stop()


def start(server, steps, **more):
    named = [{"id": f"s{number}", **step} for number, step in enumerate(steps)]
    return server.submit(named, actor=ADMIN, base=f"file:{server.folder / 'template.yaml'}", **more)


def others_go_on(server):
    """A run of somebody else, while the poison is at work and after it."""
    other = server.wait(server.submit([{"id": "one", "input": {"text": "hello"}}]).id)
    assert other.state == "succeeded"


@pytest.mark.parametrize("name", CORPUS)
def test_a_poisonous_template_is_stopped_by_a_named_limit_and_harms_nobody(server, name):
    steps, wanted = CORPUS[name]
    run = start(server, steps)
    others_go_on(server)
    ended = server.wait(run.id)
    others_go_on(server)
    if not wanted:
        assert ended.state in ("succeeded", "failed")
        return
    assert ended.state == "failed", ended
    told = f"{ended.error}"
    assert wanted in told, told
    assert ended.error["detail"]
    assert not (server.folder / "x").exists()


def test_a_million_log_lines_are_cut_in_the_middle_and_said_to_be(server):
    run = start(server, [command("seq", "1", "30000"), {"action": "test:shout", "input": {"lines": 1_000_000}}])
    others_go_on(server)
    ended = server.wait(run.id)
    assert ended.state == "succeeded"
    lines = server.log(run.id)
    assert any(line.startswith("runs.log_truncated: ") for line in lines)
    assert len(lines) < 5_000
    assert "line 0" in lines
    assert "line 999999" in lines, "the end is what people look for"


def test_a_secret_that_is_echoed_in_base64_is_nowhere(server):
    shout = 'printf "%s" "$TOKEN" | base64; printf " %s" "$TOKEN" | base64; printf "%s" "$TOKEN" | od -An -tx1 | tr -d " \\n"'
    steps = [
        command("sh", "-c", shout, secretEnv={"TOKEN": "token"}),
        log("${{ secrets.token | string | dump }}"),
    ]
    run = start(server, steps, secrets={"token": SECRET})
    others_go_on(server)
    assert server.wait(run.id).state == "succeeded"
    shown = "\n".join(server.log(run.id)) + str(server.runs.get(run.id, ADMIN))
    assert "••••••" in shown
    for start_at in range(3):
        encoded = base64.b64encode(b" " * start_at + SECRET.encode()).decode()
        assert encoded[4:-4] not in shown
    for form in (SECRET, SECRET.encode().hex()):
        assert form not in shown
    stored = PlatformDatabase(str(server.db.url))
    try:
        with stored.engine.connect() as conn:
            for (table,) in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").all():
                rows = str(conn.exec_driver_sql(f"SELECT * FROM {table}").all())
                assert SECRET not in rows, table
    finally:
        stored.close()


def test_steps_that_wait_for_ever_cost_no_place(server):
    waiting = [start(server, [{"action": "debug:wait", "input": {"minutes": 1_000}}]) for _ in range(4)]
    for run in waiting:
        server.wait(run.id, "waiting")
    others_go_on(server)
    for run in waiting:
        server.runs.cancel(run.id, ADMIN)
        assert server.wait(run.id).state == "cancelled"
