"""The pages of batches as a person without JavaScript uses them, and the API and the commands beside them."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import socket
import threading
from pathlib import Path

import httpx
import pytest
import typer
import uvicorn
from typer.testing import CliRunner

from flagstone.portal.batches.tests.conftest import ADA
from flagstone.testing.client import Client

NEW = "/batches/new/answers?template=default/probe&kind=component"


def begin(visit, **answers):
    """Fill in the form up to the preview."""
    visit.get(NEW)
    return visit.send("preview", level="low", **answers)


def ident_of(visit):
    return visit.answer.headers["location"].rpartition("/")[2]


def test_from_the_list_of_the_catalog_to_a_batch(world, dora):
    link = dora.get("/catalog?view=all&kind=component").select_one("a[href^='/batches/new?']")
    page = dora.get(link["href"])
    assert "5 entities" in dora.text
    assert page.select_one("select[name=template] option[value='default/probe']")
    dora.get(NEW)
    assert "component:default/cart" in dora.text
    dora.send("preview", 422)
    assert "Choose one" in dora.text
    dora.send("draw", level="low", **{"_from.name": "name"})
    assert dora.page.select_one("[name=name]") is None
    dora.send("preview")
    assert "1 of 5 entities cannot be run" in dora.text
    dora.send("start", 422)
    assert "Orders" in dora.text
    dora.send("edit")
    assert dora.page.select_one("select[name=level] option[selected]")["value"] == "low"
    assert dora.page.select_one("select[name='_from.name'] option[selected]")["value"] == "name"
    dora.send("preview")
    dora.send("start", 303, _leave_out="1")
    ident = ident_of(dora)
    stopped = world.settled(ident)
    assert (stopped.state, stopped.counts.failed) == ("stopped" if stopped.counts.pending else "failed", 1)
    dora.get(f"/batches/{ident}?state=failed")
    assert "./no-fraud" in dora.text
    run = dora.page.select_one("td a[href^='/runs/']")["href"]
    assert dora.get(run).find("a", href=f"/batches/{ident}")
    assert dora.get("/runs").find("a", href=f"/batches/{ident}")
    assert dora.get("/batches").find("a", href=f"/batches/{ident}")


def test_pressed_twice_start_makes_one_batch(world, dora):
    begin(dora)
    preview = dora.answer
    dora.send("start", 303)
    first = ident_of(dora)
    dora.answer = preview
    dora.send("start", 303)
    assert ident_of(dora) == first
    world.settled(first)


def test_a_preview_that_changed_is_shown_anew_instead_of_started(dora):
    begin(dora)
    dora.send("start", 409, _digest="other")
    assert "The preview changed" in dora.text
    assert dora.page.select_one("[name=_digest]")["value"] != "other"


def test_lists_that_grow_places_that_are_typed_and_wrong_options(dora):
    dora.get(NEW)
    dora.send("draw", level="high", _op="add:ports", **{"_from.tier": "other"})
    assert dora.page.select_one("[name='ports/0']")
    dora.send("draw", **{"_place.tier": "metadata.annotations.acme.example/tier", "ports/0": "80"})
    assert "4, 5, 6" in dora.text
    dora.send("preview", 422, _at_once="many")
    assert "whole number from 1 to 50" in dora.text
    dora.send("preview", _at_once="2", _title="Everything <b>")
    assert "tier 4" in dora.text
    again = dora.send("edit")
    assert again.select_one("[name=_title]")["value"] == "Everything <b>"
    assert again.select_one("[name='ports/0']")["value"] == "80"


def test_an_entity_can_be_left_out_of_a_preview_and_taken_in_again(dora):
    begin(dora)
    dora.send("", path="/batches/new/answers", _without="component:default/orders")
    assert len(dora.page.select("tbody tr")) == 4
    dora.send("", path="/batches/new/answers", _without="component:default/cart")
    assert len(dora.page.select("tbody tr")) == 3
    back = dora.page.select_one("nav a[href^='/batches/new?'], a[href^='/batches/new?']")["href"]
    page = dora.get(back)
    assert {box["value"] for box in page.select("[name=without][checked]")} == {
        "component:default/orders",
        "component:default/cart",
    }
    assert "3 entities" in dora.text


def test_the_plan_of_each_entity_can_be_seen_and_further_rows_come_by_and_by(dora, monkeypatch):
    monkeypatch.setattr("flagstone.portal.batches.web.preview.ROWS", 2)
    begin(dora)
    assert len(dora.page.select("tbody tr")) == 3
    first = dora.answer
    rows = dora.send("", path="/batches/new/rows", _after="2").select("a.p-entity")
    assert [row["href"].rpartition("/")[2] for row in rows] == ["orders", "search"]
    dora.answer = first
    plan = dora.send("", path="/batches/new/plan", _ref="component:default/cart").get_text(" ")
    assert "The cart" in plan
    assert "2 steps" in plan
    dora.answer = first
    assert "is not among the entities" in dora.send("", path="/batches/new/plan", _ref="component:default/none").text


def test_buttons_of_a_batch_do_what_they_say_and_others_do_not_see_them(world, dora, vera):
    dora.get("/batches/new/answers?template=default/careful&kind=component")
    dora.send("preview", level="low", _at_once="1")
    dora.send("start", 303)
    ident = ident_of(dora)
    world.until(lambda: world.reader.get(ADA, ident).counts.waiting)
    page = dora.get(f"/batches/{ident}")
    assert "waits for somebody" in dora.text
    assert page.select_one(f"form[action='/batches/{ident}/pause']")
    dora.post(f"/batches/{ident}/pause", [], 303)
    assert dora.get(f"/batches/{ident}").select_one(f"form[action='/batches/{ident}/continue']")
    dora.post(f"/batches/{ident}/continue", [], 303)
    assert vera.get(f"/batches/{ident}").select_one("form[action^='/batches/']") is None
    vera.post(f"/batches/{ident}/cancel", [], 403)
    dora.post(f"/batches/{ident}/cancel", [], 303)
    assert world.settled(ident).state == "cancelled"
    dora.get(f"/batches/{ident}?state=left")
    assert "Cancelled" in dora.text


def test_what_is_wrong_is_said_on_the_page_where_it_can_be_changed(dora, vera):
    assert "Nothing in the catalog fits" in dora.get("/batches/new?template=default/probe&q=nowhere").main.get_text()
    dora.get("/batches/new/answers?template=&kind=component", 422)
    dora.get("/batches/new/answers?template=default/none&kind=component", 404)
    assert dora.get("/batches?state=ended").select_one("main")
    dora.get("/batches/none", 404)
    vera.get("/batches/new", 403)
    assert vera.get("/batches").select_one("a[href^='/batches/new']") is None
    assert vera.get("/catalog?view=all").select_one("a[href^='/batches/new']") is None


def test_the_api_previews_starts_and_pages(world):
    person = world.people.developer
    address = "/api/v1/templates/default/probe/batches"
    http = Client(world.app.asgi, headers=person.headers)
    body = {"query": {"kind": ["component"]}, "values": {"level": "low"}, "from_entity": {"tier": "name"}}
    assert http.post(address, json=body).json()["code"] == "batches.no_digest"
    seen = http.post(address, json={**body, "dry_run": True, "plans": True}).json()
    assert (seen["count"], seen["valid"], {item["verdict"] for item in seen["items"]}) == (5, 5, {"ready"})
    assert seen["items"][0]["inputs"]["tier"] == "cart"
    assert http.post(address, json={**body, "digest": "x"}).status_code == 409
    started = {**body, "digest": seen["digest"], "at_once": 5, "idempotency_key": "once"}
    made = [http.post(address, json=started).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    world.settled(made[0])
    page = http.get(f"/api/v1/batches/{made[0]}/items?limit=3").json()
    rest = http.get(f"/api/v1/batches/{made[0]}/items?limit=3&cursor={page['next_cursor']}").json()
    assert [item["position"] for item in [*page["items"], *rest["items"]]] == [0, 1, 2, 3, 4]
    first = http.get("/api/v1/batches?limit=1").json()
    assert first["items"][0]["id"] == made[0]
    assert http.post(f"/api/v1/batches/{made[0]}/pause").status_code == 409


@pytest.fixture
def flagstone(world, monkeypatch):
    """The command line before the whole server: arguments -> (exit code, what it printed)."""
    file = Path(__file__).parents[1] / "cli.py"
    spec = importlib.util.spec_from_file_location("batches_cli", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)
    app = typer.Typer()
    module.register(app)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app.asgi, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    token = world.people.developer.headers["Authorization"].removeprefix("Bearer ")

    def call(*arguments):
        found = CliRunner().invoke(app, ["batches", *arguments, "--url", url, "--token", token])
        return found.exit_code, found.output

    with httpx.HTTPTransport() as transport:
        session_module = importlib.import_module("flagstone.toolkit.cli.session")
        monkeypatch.setattr(session_module._Transport, "value", transport)
        yield call
    server.should_exit = True
    thread.join(20)
    listener.close()


def test_the_commands_preview_start_follow_and_change(world, flagstone, tmp_path):
    asked = ("probe", "--where", "kind=component", "--set", "level=low", "--from", "name=name")
    assert "4 of 4 can be run" in flagstone("preview", *asked, "--without", "orders")[1]
    code, said = flagstone("preview", *asked)
    assert (code, "4 of 5 can be run" in said, "pattern" in said) == (0, True, True)
    assert flagstone("start", *asked, "--yes")[0] != 0
    code, said = flagstone("start", *asked, "--yes", "--leave-out", "--at-once", "1", "--title", "All of them")
    assert (code, "is stopped" in said) == (1, True)
    made = json.loads(flagstone("list", "--json")[1])[0]
    assert (made["title"], made["state"]) == ("All of them", "stopped")
    code, said = flagstone("show", made["id"], "--state", "failed")
    assert (code, "component:default/fraud" in said, "1 failed" in said) == (0, True, True)
    assert "is running" in flagstone("continue", made["id"])[1]
    assert world.settled(made["id"]).state == "failed"
    assert "is running" in flagstone("retry", made["id"])[1]
    world.settled(made["id"])
    assert flagstone("pause", made["id"])[0] == 5
    assert flagstone("cancel", made["id"], "--json")[0] == 5
    code, said = flagstone("start", "probe", "--entity", "cart", "--set", "level=low", "--yes", "--json")
    assert (code, json.loads(said)["state"]) == (0, "succeeded")
    assert flagstone("preview", "probe", "--from", "name")[0] == 2
    secret = tmp_path / "token"
    secret.write_text("hunter2\n")
    asked = ("start", "secretive", "--entity", "cart", "--set", "level=low", "--yes", "--secret")
    assert flagstone(*asked, "token=hunter2")[0] == 2
    code, said = flagstone(*asked, f"token=@{secret}")
    assert (code, "is succeeded" in said, "hunter2" in said) == (0, True, False)
    assert "secrets.token" in flagstone(*asked, f"other=@{secret}")[1]
