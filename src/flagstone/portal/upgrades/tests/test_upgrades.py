"""What golden paths made, brought up to their newest version: both rooms, real runs, real git."""

from __future__ import annotations

import pytest

from flagstone.contracts.repositories import MergeChangeRequest
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound

from .conftest import ADA, VIC

PORT = "        port: {type: integer, title: Port}"


def test_a_component_remembers_what_made_it_and_is_behind_when_the_skeleton_changes(world):
    world.write("one")
    world.template()
    ref, run = world.make("cart")
    standing = world.upgrades.get(ref)
    assert (standing.memory.inputs, standing.memory.repository) == ({"name": "cart"}, "acme/cart")
    assert standing.memory.run_number == run.number
    assert standing.memory.commit == world.gateway.get_repository("acme/cart", ADA).head
    assert (standing.behind, standing.word) == (0, "current")
    world.write("two")
    assert world.upgrades.get(ref).word == "1 version behind"
    world.write("three")
    assert world.upgrades.get(ref).word == "2 versions behind"
    assert ref in {item.memory.entity_ref for item in world.upgrades.page(behind=True).items}
    world.write("one")
    assert ref not in {item.memory.entity_ref for item in world.upgrades.page(behind=True).items}


def test_an_upgrade_is_previewed_opened_merged_and_then_remembered(world):
    world.write("one1")
    world.template()
    ref, _ = world.make("orders")
    world.write("two1")
    plan = world.upgrades.plan(ADA, ref, {}, {})
    assert [step.action for step in plan.steps] == ["fetch:template", "debug:log", "flagstone:repository:upgrade"]
    (changed,) = [change for change in plan.steps[-1].changes if change.kind == "file"]
    assert "-last = 'one1'\n+last = 'two1'" in changed.facts["Diff"]
    with pytest.raises(Conflict):
        world.upgrades.open(ADA, ref, {}, {}, plan_digest="another")
    run = world.ended(world.upgrades.open(ADA, ref, {}, {}, plan_digest=plan.digest, key="k"))
    assert world.upgrades.open(ADA, ref, {}, {}, plan_digest=plan.digest, key="k").id == run.id
    assert run.subjects == (ref,)
    world.listen()
    standing = world.upgrades.get(ref)
    assert (standing.behind, standing.memory.pending.number) == (1, 1)
    assert standing.change_href == "/repositories/acme/orders/changes/1"
    world.gateway.merge_change("acme/orders", 1, MergeChangeRequest(), ADA)
    world.listen()
    standing = world.upgrades.get(ref)
    assert (standing.behind, standing.memory.pending) == (0, None)
    assert "last = 'two1'" in world.file("orders", "app.py")


def test_a_closed_upgrade_leaves_it_behind(world):
    world.write("one2")
    world.template()
    ref, _ = world.make("search")
    world.write("two2")
    world.ended(world.upgrades.open(ADA, ref, {}, {}))
    world.listen()
    world.gateway.close_change("acme/search", 1, ADA)
    world.listen()
    standing = world.upgrades.get(ref)
    assert (standing.behind > 0, standing.memory.pending) == (True, None)


def test_what_is_new_in_the_form_is_asked_for_and_the_rest_is_not(world):
    world.write("one3")
    world.template()
    ref, _ = world.make("stock")
    world.template(", port", PORT)
    try:
        asked = world.upgrades.asked(world.upgrades.get(ref), {})
        assert [list(page["properties"]) for _, page in asked] == [["port"]]
        with pytest.raises(Invalid):
            world.upgrades.plan(ADA, ref, {}, {})
        browser = world.browser("maintainer")
        page = browser.get("/upgrades/component/default/stock")
        assert ('name="port"' in page.text, 'name="name"' in page.text) == (True, False)
        world.write("two3")
        form = {"_action": "preview", "port": "80", "_shown": "port"}
        answer = browser.post("/upgrades/component/default/stock", data=form)
        assert answer.status_code == 200, answer.text[:2000]
        assert "What the upgrade changes" in answer.text
        missing = browser.post("/upgrades/component/default/stock", data={**form, "port": ""})
        assert missing.status_code == 422
        run = world.ended(world.upgrades.open(ADA, ref, {"port": 80}, {}))
        assert run.inputs == {"name": "stock", "port": 80}
    finally:
        world.template()


def test_the_pages_show_what_is_behind_and_open_an_upgrade(world):
    world.write("one4")
    world.template()
    ref, _ = world.make("vouchers")
    world.write("two4")
    browser = world.browser("maintainer")
    listed = browser.get("/upgrades").text
    assert "vouchers" in listed
    assert "version behind" in listed
    assert "vouchers" in browser.get("/upgrades?all=1&template=template:default/web").text
    path = "/upgrades/component/default/vouchers"
    shown = browser.post(path, data={"_action": "preview"})
    assert "Open as a change request" in shown.text
    done = browser.post(path, data={"_action": "open", "_key": "one"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"].startswith("/runs/")) == (303, True)
    world.ended(world.gateway.get_run(done.headers["location"].rpartition("/")[2], ADA))
    world.listen()
    assert "Change request #1" in browser.get(path).text
    answer = browser.get("/api/v1/upgrades?behind=true", headers={"Accept": "application/json"}).json()
    (item,) = [item for item in answer["items"] if item["entity_ref"] == ref]
    assert (item["change_request"], item["template_title"]) == (1, "Web service")
    detail = browser.get(f"/api/v1{path}", headers={"Accept": "application/json"}).json()
    assert (detail["inputs"], detail["asks"]) == ({"name": "vouchers"}, [])


def test_who_may_not_push_may_not_upgrade(world):
    ref, _ = world.make("ledger")
    with pytest.raises(Denied):
        world.upgrades.plan(VIC, ref, {}, {})
    with pytest.raises(NotFound):
        world.upgrades.get("component:default/never-made")
