"""A secret that a person hands to a run is found nowhere afterwards: not in a row, a log, an answer, a page or a file."""

from __future__ import annotations

import base64
import json
import re
import secrets
import urllib.parse

import pytest

from flagstone.testing.server import ServerProcess, free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CANARY = f"canary {secrets.token_hex(8)}/+{secrets.token_hex(4)}\"'&<é>"
LINES = [f"-----{secrets.token_hex(12)}", f"=={secrets.token_hex(14)}", f"last{secrets.token_hex(9)}"]
KEY = "\n".join(LINES) + "\n"

STEPS = {
    "logs": ("debug:log", "message: 'token=${{ secrets.token }} key=${{ secrets.key }}'"),
    "dumps": (
        "debug:log",
        "message: '${{ secrets | dump }} ${{ secrets.token | urlencode }} ${{ secrets.token | escape }}'",
    ),
    "asks": (
        "http:request",
        "method: GET\n        url: 'http://127.0.0.1:PORT/${{ secrets.token }}'\n        headers: {x: '${{ secrets.key }}'}",
    ),
    "fails": ("fs:rename", "files: [{from: '${{ secrets.token }}', to: x}]"),
    "refused": ("debug:wait", "seconds: '${{ secrets.token }}'"),
    "throws": ("roadiehq:utils:serialize:json", "data: '${{ secrets.token | nosuchfilter }}'"),
    "gives": ("roadiehq:utils:serialize:json", "data: {a: '${{ secrets.token }}', b: ['${{ secrets.key }}']}"),
    "each": ("debug:log", "message: '${{ each.value }}'\n      each: ['${{ secrets.token }}', '${{ secrets.key }}']"),
}


def template(name, action, given):
    return f"""\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: {name}}}
spec:
  type: service
  owner: group:default/ops
  parameters:
    - title: What
      properties:
        token: {{type: string, ui:field: Secret}}
        key: {{type: string, ui:field: Secret}}
  steps:
    - id: one
      action: {action}
      input:
        {given.replace("PORT", str(free_port()))}
  output:
    text:
      - title: Shown
        content: 'made with ${{{{ steps.one.output | dump }}}} and ${{{{ secrets.token }}}}'
"""


def disguises(text):
    """The ways in which a text is commonly written down."""
    data = text.encode()
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield urllib.parse.quote(text)
    yield urllib.parse.quote(text, safe="")
    yield urllib.parse.quote_plus(text)
    yield base64.b64encode(data).decode().rstrip("=")[:-2]
    yield data.hex()
    yield (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")
    )


# The part in the middle shows a secret that was cut or quoted in a way nobody thought of.
NEEDLES = {
    needle.encode() for text in (CANARY, *LINES) for needle in (*disguises(text), *re.findall(r"[0-9a-f]{8,}", text))
}


def found_in(data):
    return sorted(needle for needle in NEEDLES if needle in data)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canary")
    (folder / "catalog").mkdir()
    for name, (action, given) in STEPS.items():
        (folder / "catalog" / f"{name}.yaml").write_text(template(name, action, given))
    env = {"FLAGSTONE_RUNS__STEP_ATTEMPTS": "2", "FLAGSTONE_RUNS__RETRY_CAP_SECONDS": "0.1"}
    with ServerProcess(folder, "--location", str(folder / "catalog" / "*.yaml"), env=env) as running:
        wait_until(lambda: len(running.get("/api/v1/templates")["items"]) == len(STEPS), 20, "the golden paths")
        yield running


@pytest.fixture(scope="module")
def runs(server):
    """Everything was planned, previewed and run with the secrets, by both APIs."""
    given = {"values": {}, "secrets": {"token": CANARY, "key": KEY}}
    answers, ended = [], {}
    with server.client() as client:
        for name in STEPS:
            answers.append(client.post(f"/api/v1/templates/default/{name}/plan", json=given))
            answers.append(client.post(f"/api/v1/templates/default/{name}/runs", json=given))
            body = {"templateRef": f"template:default/{name}", **given}
            answers.append(client.post("/api/scaffolder/v2/tasks", json=body))
        for number, answer in enumerate(answers):
            if answer.status_code < 300 and number % 3:
                run = answer.json()
                run = run.get("run", run)
                ended.setdefault(list(STEPS)[number // 3], server.wait_for_run(run["id"]))
    assert [found_in(answer.content) for answer in answers] == [[]] * len(answers)
    return ended


def test_the_runs_went_as_they_should(runs):
    states = {name: run["state"] for name, run in runs.items()}
    assert states["logs"] == states["dumps"] == states["gives"] == "succeeded", [
        run.get("error") for run in runs.values()
    ]
    assert {"asks", "fails"} <= {name for name, state in states.items() if state == "failed"}, states


def test_no_answer_and_no_page_shows_it(server, runs):
    looked_at = 0
    with server.client() as client:
        places = [
            path
            for path, item in client.get("/api/v1/openapi.json").json()["paths"].items()
            if "get" in item and "{" not in path
        ]
        places += ["/", "/runs", "/admin/audit", "/create", "/catalog"]
        for run in runs.values():
            places += [f"/runs/{run['number']}", f"/api/scaffolder/v2/tasks/{run['id']}"]
            places += [f"/api/v1/runs/{run['id']}{part}" for part in ("", "/events", "/log.txt", "/stream", "/plan")]
            places.append(f"/api/scaffolder/v2/tasks/{run['id']}/events")
        for place in places:
            for accept in ("text/html", "application/json"):
                if place.endswith("stream") and "/runs/" not in place:
                    continue  # never ends
                answer = client.get(place, headers={"Accept": accept}, follow_redirects=True)
                looked_at += answer.status_code == 200
                assert found_in(answer.content) == [], (place, accept)
    assert looked_at > 60


def test_no_file_of_the_server_holds_it(server, runs):
    assert runs
    looked_at = 0
    for path in server.folder.rglob("*"):
        if path.is_file():
            looked_at += 1
            assert found_in(path.read_bytes()) == [], path
    assert looked_at > 10
