"""Secrets of a batch from the preview to the runs: asked for once, on a page, over the API or on a terminal; seen nowhere."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from flagstone.kernel.errors import Invalid
from flagstone.portal.batches.model import Answers, AskedSecret, BatchOptions, EntityQuery
from flagstone.portal.batches.service.secrets import SecretFields
from flagstone.portal.batches.tests.conftest import ADA
from flagstone.portal.golden_paths import unregistered
from flagstone.testing.client import Client

CANARY = "CANARY-p7-hunter2"
ALL = EntityQuery(kind=("component",))
LOW = Answers({"level": "low"})
FAILING = "/batches/new/answers?template=default/secretive&entity=component:default/fraud"


def prepare(world, path, answers=LOW, given=()):
    return world.previews.prepare(ADA, world.path(path), ALL, answers, given)


def start(world, preview, **secrets):
    given = {name: SecretStr(text) for name, text in secrets.items()}
    return world.previews.start(ADA, preview, BatchOptions(), digest=preview.digest, secrets=given)


def seen_nowhere(world, *texts):
    files = [path for path in (world.folder.parent / "data").rglob("*") if path.is_file()]
    assert {"portal.db", "platform.db", "engine.db"} <= {path.name for path in files}
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex()):
        assert [path for path in files if form.encode() in path.read_bytes()] == []
        assert [text for text in texts if form in text] == []


def test_what_is_asked_for_is_said_by_the_preview_and_given_with_the_start(world, caplog):
    found = prepare(world, "secretive")
    assert found.secrets == (AskedSecret("token", "Token", "", required=True),)
    assert (len(found.valid), found.varying) == (5, {"component"})
    assert {world.previews.judge(ADA, item).word for item in found.candidates[:2]} == {"ready"}
    with pytest.raises(Invalid) as refused:
        start(world, found, token="", other=CANARY)
    assert [(item.field, item.message) for item in refused.value.problems] == [
        ("secrets.token", "This secret is missing.")
    ]
    made = start(world, found, token=CANARY)
    assert world.settled(made.id).state == "succeeded"
    runs = [world.gateway.get_run(item.run_id, ADA) for item in world.items(made.id)]
    assert [run.inputs["token"] for run in runs] == ["********"] * 5
    lines = [event.text for event in world.gateway.run_events(runs[0].id, ADA) if event.type == "log"]
    assert "component:default/cart low [secret]" in " ".join(lines)
    told = [repr(event) for event in world.gateway.events(limit=500)]
    seen_nowhere(world, repr(refused.value.as_dict()), repr(found), repr(runs), *lines, *told, caplog.text)


def test_an_optional_secret_changes_the_answers_and_not_the_digest(world):
    without, given = prepare(world, "probe"), prepare(world, "probe", given=["token"])
    assert without.digest == given.digest
    assert "token" not in without.valid[0].request.inputs
    assert given.valid[0].request.inputs["token"] == "********"
    assert [item.required for item in given.secrets] == [False]


def test_secrets_of_a_schema_are_asked_for_and_checked(world):
    found = prepare(world, "sealed")
    assert {item.name: item.required for item in found.secrets} == {"key": True, "token": False}
    assert len(found.valid) == 5
    with pytest.raises(Invalid) as refused:
        start(world, found, token=CANARY)
    assert [problem.field for problem in refused.value.problems] == ["secrets.key"]
    assert CANARY not in repr(refused.value.as_dict())


@pytest.mark.parametrize("answers", [Answers({"token": CANARY}), Answers({}, {"token": "name"})])
def test_a_secret_among_the_answers_is_refused_because_answers_are_kept(world, answers):
    with pytest.raises(Invalid) as refused:
        prepare(world, "probe", answers)
    assert refused.value.code == "batches.secret_as_answer"
    assert CANARY not in repr(refused.value.as_dict())


def test_secrets_inside_groups_lists_and_repositories_are_asked_for_once():
    secret = {"type": "string", "title": "Password", "ui:field": "Secret", "minLength": 12}
    group = {"type": "object", "required": ["password"], "properties": {"password": secret, "host": {"type": "string"}}}
    credentials = {"requestUserCredentials": {"secretsKey": "GIT_TOKEN"}}
    repo = {"type": "string", "title": "Place", "ui:field": "RepoUrlPicker", "ui:options": credentials}
    page = {"properties": {"db": group, "more": {"type": "array", "items": group}, "repo": repo}}
    spec = {"type": "x", "parameters": page, "steps": []}
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "t"},
        "spec": spec,
    }
    asked = SecretFields(unregistered(document, "inline:t.yaml"))
    filled, places = asked.starred({"db": {"host": "a"}, "more": [{"host": "b"}]})
    assert filled == {"db": {"host": "a", "password": "*" * 12}, "more": [{"host": "b", "password": "*" * 12}]}
    assert places == {("db", "password"), ("more", "0", "password")}
    assert [(item.name, item.required) for item in asked.asked] == [("password", True), ("GIT_TOKEN", False)]


def test_on_a_page_they_are_filled_in_last_and_never_come_back(world, dora):
    dora.get(FAILING)
    assert "Asked for once for all runs, after the preview: Token" in dora.text
    assert dora.page.select_one("[name=token]") is None
    page = dora.send("preview", level="low", **{"_from.name": "name"})
    asked = page.select_one("input[name='_secret.token']")
    assert (asked["type"], asked.get("value", "")) == ("password", "")
    page = dora.send("start", 422)
    assert "This secret is missing." in page.select_one("[data-field='f-secret-1']").text
    assert page.select_one("a[href='#f-secret-1']").text == "Token"
    shown = [dora.answer.text]
    dora.send("start", 409, **{"_secret.token": CANARY, "_digest": "other"})
    shown.append(dora.answer.text)
    dora.send("edit", **{"_secret.token": CANARY})
    shown.append(dora.answer.text)
    dora.send("preview")
    dora.send("start", 303, **{"_secret.token": CANARY})
    ident = dora.answer.headers["location"].rpartition("/")[2]
    assert world.settled(ident).state == "failed"
    page = dora.get(f"/batches/{ident}")
    assert "Secrets: token." in dora.text
    assert page.select_one("dialog#retry input[name='_secret.token']").get("value", "") == ""
    shown.append(dora.answer.text)
    dora.post(f"/batches/{ident}/retry", [("_secret.token", f"{CANARY}-2")], 303)
    world.settled(ident)
    seen_nowhere(world, *shown, dora.get(f"/batches/{ident}").text)


def test_over_the_api_they_come_with_the_start_and_no_answer_repeats_them(world):
    http = Client(world.app.asgi, headers=world.people.developer.headers)
    address = "/api/v1/templates/default/secretive/batches"
    body = {"query": {"entity": ["component:default/cart"]}, "values": {"level": "low"}}
    seen = http.post(address, json={**body, "dry_run": True, "plans": True})
    assert seen.json()["secrets"] == [{"name": "token", "title": "Token", "help": "", "required": True}]
    assert seen.json()["items"][0]["verdict"] == "ready"
    body["digest"] = seen.json()["digest"]
    texts = [http.post(address, json=body | given) for given in ({}, {"secrets": {"token": [CANARY]}})]
    assert [answer.status_code for answer in texts] == [422, 422]
    made = http.post(address, json={**body, "secrets": {"token": CANARY}})
    assert (made.status_code, made.json()["secrets"]) == (201, ["token"])
    ident = made.json()["id"]
    assert world.settled(ident).state == "succeeded"
    paths = (f"batches/{ident}", f"batches/{ident}/items", "batches", "runs", "audit", "secrets", "events")
    texts += [made, *(http.get(f"/api/v1/{path}") for path in paths)]
    assert http.get(f"/api/v1/batches/{ident}").json()["secrets_kept"] is False
    again = http.post(f"/api/v1/batches/{ident}/retry", json={"secrets": {"token": CANARY}})
    assert again.status_code == 409
    seen_nowhere(world, *(answer.text for answer in [*texts, again]))
