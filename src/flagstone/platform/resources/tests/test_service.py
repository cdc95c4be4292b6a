"""Asking for resources, changing them, taking them away."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound, Permanent, Temporary
from flagstone.platform.resources.tests.world import (
    ADMIN,
    CANARY,
    CHECKOUT,
    ORDERS,
    OWNER,
    STRANGER,
    QueueDriver,
    World,
    at_once,
    definition,
)
from flagstone.sdk import ResourceDefinition


def test_a_resource_is_made_once_and_is_ready(world):
    made = world.request(params={"size": 3})
    assert made.state == "ready"
    assert made.outputs == {"host": "queues.acme.example", "size": 3}
    assert made.secret_names == ("password",)
    assert world.provider.outputs(made)["password"].startswith(CANARY)
    assert world.told() == [("requested", "requested"), ("ready", "ready")]
    assert world.audited() == ["resources.resource.provision", "resources.resource.request"]
    view = world.get(made.id)
    assert (view.definition, view.driver, view.created_by, view.params) == (
        "queues",
        "queues",
        "Omar",
        {"size": 3, "label": "plain"},
    )


def test_the_same_asked_for_twice_is_one(world):
    first = world.request(params={"size": 3})
    assert world.request(params={"label": "plain", "size": 3}, entity_ref="Orders").id == first.id
    assert len(world.driver.calls) == 1
    assert len(world.all()) == 1


def test_other_params_change_it_and_keep_its_secret(world):
    first = world.request(params={"size": 3})
    password = world.provider.outputs(first)["password"]
    after = world.request(params={"size": 4})
    assert (after.id, after.outputs["size"], after.generation) == (first.id, 4, 1)
    assert world.provider.outputs(after)["password"] == password
    assert world.audited()[0:2] == ["resources.resource.provision", "resources.resource.request"]


def test_two_at_once_make_one(database, tmp_path):
    world = World(database, tmp_path)
    answers = at_once(*[lambda: world.request(params={"size": 1})] * 4)
    assert {answer.id for answer in answers} == {world.all()[0].id}
    assert len(world.driver.calls) == 1


def test_two_at_once_with_other_params_come_one_after_the_other(world):
    running = []

    def before(request):
        running.append(request.params["size"])
        assert len(running) == 1
        running.pop()

    world.driver.before = before
    answers = at_once(*[lambda size=size: world.request(params={"size": size}) for size in (1, 2, 3)])
    assert sorted(answer.outputs["size"] for answer in answers) == [1, 2, 3]
    assert world.driver.queues[world.all()[0].id] == world.all()[0].params["size"]


def test_what_somebody_else_changes_makes_a_step_come_back_later(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, None, lock_wait=0)
    uid = world.request().id
    other = World(sqlite_database, tmp_path, world.driver, lock_wait=0)
    with other.service._tools.turns.take(uid, other.execution("other")), pytest.raises(Temporary, match="run-1"):
        world.request(params={"size": 9})


def test_a_step_that_was_left_behind_keeps_its_next_attempt_out(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, None, lock_wait=0)
    going, ends = threading.Event(), threading.Event()

    def slow(_request):
        going.set()
        ends.wait(10)

    world.driver.after = slow
    first = threading.Thread(target=world.request, kwargs={"key": "k"})
    first.start()
    going.wait(10)
    with pytest.raises(Temporary, match="a step of this process"):
        world.request(key="k")
    ends.set()
    first.join(10)
    assert world.request(key="k").state == "ready"
    assert len(world.driver.calls) == 1


def test_a_step_that_lost_its_lock_writes_nothing(world):
    def stolen(request):
        store = world.service._store
        store.renew(request.uid, store.get(request.uid).fence, lease=-1)
        store.acquire(request.uid, holder="thief", holder_name="run 7", lease=30)

    world.driver.after = stolen
    with pytest.raises(Conflict, match="taken over"):
        world.request()
    assert world.all()[0].state == "provisioning"


def test_a_failure_is_told_and_asking_again_mends_it(world):
    def broken(_request):
        raise Permanent("queues.full", "There is no room for another queue.")

    world.driver.before = broken
    with pytest.raises(Permanent, match="no room"):
        world.request()
    (failed,) = world.all()
    assert (failed.state, failed.message) == ("failed", "There is no room for another queue.")
    assert world.told()[-1] == ("failed", "failed")
    world.driver.before = lambda _request: None
    assert world.request().state == "ready"
    assert world.get(failed.id).message == ""


def test_a_driver_that_fails_half_way_is_gone_on_with(world):
    def broken(_request):
        raise RuntimeError("the line went dead")

    world.driver.after = broken
    with pytest.raises(Permanent, match="RuntimeError: the line went dead"):
        world.request(params={"size": 2})
    assert world.driver.queues, "the thing itself was made"
    world.driver.after = lambda _request: None
    made = world.request(params={"size": 2})
    assert list(world.driver.queues) == [made.id]


def test_what_nobody_expected_leaves_no_resource_in_the_making(world):
    world.driver.open = lambda _ctx: 1 / 0
    with pytest.raises(ZeroDivisionError):
        world.request()
    (failed,) = world.all()
    assert failed.state == "failed"
    assert "ZeroDivisionError" in failed.message
    del world.driver.open
    assert world.request().state == "ready"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [({"port": 1}, "port is none"), ({"host": 7}, "host breaks the rule type"), ({"password": 7}, "is not a text")],
)
def test_a_driver_that_breaks_its_word_is_told_at_once(world, outputs, words):
    world.driver.outputs = outputs
    with pytest.raises(Permanent, match=words):
        world.request()
    assert world.all()[0].state == "failed"


def test_what_was_removed_by_hand_is_noticed_and_made_again(world):
    made = world.request()
    world.driver.queues.clear()
    assert world.request().id == made.id
    assert world.driver.queues
    assert any("not there any more" in line for line in world.said)


def test_removing_says_where_the_data_are_and_asking_again_starts_from_nothing(world):
    made = world.request()
    (line,) = world.remove(made.id)
    assert line == f"The queue is kept as {made.id}.1."
    view = world.get(made.id)
    assert (view.state, view.message, view.outputs, view.secret_names) == ("removed", line, {}, ())
    assert world.all() == ()
    assert [one.id for one in world.all(state=("removed",))] == [made.id]
    assert world.vault.list().items == ()
    again = world.request()
    assert (again.id, again.generation) == (made.id, 2)
    world.remove(made.id)
    assert set(world.driver.kept) == {f"{made.id}.1", f"{made.id}.2"}


def test_data_are_deleted_only_when_that_is_asked_for(world):
    made = world.request()
    assert world.remove(made.id, delete_data=True) == ("The queue is deleted.",)
    assert world.driver.kept == {}


def test_removing_twice_is_fine_and_the_same_step_says_the_same(world):
    made = world.request()
    said = world.remove(made.id, key="k")
    assert world.remove(made.id, key="k") == said
    assert world.remove(made.id) == ()
    world.request()
    assert world.remove(made.id, key="k") == said, "a step that was done must not remove what came after it"
    assert world.get(made.id).state == "ready"


def test_a_removal_that_fails_can_be_done_again(world):
    made = world.request()

    def broken(_request):
        raise Temporary("queues.away", "The queues do not answer.")

    world.driver.after = broken
    with pytest.raises(Temporary):
        world.remove(made.id)
    assert world.get(made.id).state == "failed"
    world.driver.after = lambda _request: None
    assert world.remove(made.id) == (f"The queue is kept as {made.id}.1.",)


def test_what_is_in_use_is_not_removed(world):
    made = world.request()
    world.service.used_by(lambda resource: ["orders in development"] if resource.id == made.id else [])
    with pytest.raises(Conflict, match="used by orders in development"):
        world.remove(made.id)
    with pytest.raises(Conflict):
        world.service.removal(OWNER, made.id)
    assert world.get(made.id).state == "ready"


@pytest.mark.parametrize(
    ("members", "error", "words"),
    [
        ({"type": "moon"}, NotFound, "no resource type named 'moon'"),
        ({"environment": "mars"}, NotFound, "no environment named 'mars'"),
        ({"name": "Not a name"}, Invalid, "not a name for a resource"),
        ({"params": {"size": 0}}, Invalid, "params.size"),
        ({"params": {"sise": 1}}, Invalid, "sise"),
        (
            {"resource_class": "gold"},
            Invalid,
            r"queue of class gold in development.*queues \(class default, everywhere",
        ),
        ({"type": "postgres"}, Invalid, r'Definitions of this type: none.*type = "postgres"'),
        ({"entity_ref": "a:b:c/"}, Invalid, ""),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing_behind(world, members, error, words):
    with pytest.raises(error, match=words or None):
        world.request(**members)
    with pytest.raises(error):
        world.service.preview(world.wanted(**members), OWNER)
    assert world.all() == ()
    assert world.told() == []


def test_strangers_may_neither_ask_nor_change_nor_remove(world):
    with pytest.raises(Denied):
        world.request(actor=STRANGER)
    with pytest.raises(Denied):
        world.request(actor=STRANGER, owner=None)
    made = world.request()
    for owner in (None, "group:default/search", CHECKOUT):
        with pytest.raises(Denied):
            world.request(actor=STRANGER, owner=owner, params={"size": 9})
    with pytest.raises(Denied):
        world.remove(made.id, actor=STRANGER)
    with pytest.raises(Denied):
        world.request(owner="group:default/search"), "an owner gives away only to where they belong"
    assert world.get(made.id).owner == CHECKOUT
    assert world.request(actor=ADMIN, owner="group:default/search").owner == "group:default/search"


def test_the_owner_stays_when_none_is_named(world):
    world.request()
    assert world.request(actor=ADMIN, owner=None, params={"size": 2}).owner == CHECKOUT


def test_what_it_costs_is_known_before(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, None, definition(monthly_cost="12.50", currency="EUR"))
    preview = world.service.preview(world.wanted(), OWNER)
    assert (preview.op, preview.cost, preview.resource.currency) == ("create", Decimal("12.50"), "EUR")
    world.request()
    assert world.service.preview(world.wanted(), OWNER).op == "none"
    changed = world.service.preview(world.wanted(params={"size": 5}), OWNER)
    assert (changed.op, changed.cost, changed.facts["params.size"]) == ("change", 0, "not set → 5")
    assert world.get(world.all()[0].id).monthly_cost == Decimal("12.50")


def test_the_most_specific_definition_provides_it(sqlite_database, tmp_path):
    world = World(
        sqlite_database,
        tmp_path,
        None,
        definition("any", config={"host": "any"}),
        definition("live", config={"host": "live"}, criteria={"environment_type": "production"}),
        definition("orders", config={"host": "orders"}, criteria={"component": "Component:default/Orders"}),
        definition("gold", config={"host": "gold"}, **{"class": "gold"}),
    )
    assert world.request(entity_ref="other").definition == "any"
    assert world.request(entity_ref="other", environment="production").definition == "live"
    assert world.request(environment="production").outputs["host"] == "orders"
    assert world.request(resource_class="gold").outputs["host"] == "gold"
    named = [one.name for one in world.service.definitions(ADMIN) if one.type == "queue"]
    assert named == ["orders", "live", "any", "gold", "queues"]
    assert {one.name: one.resources for one in world.service.definitions(ADMIN)}["any"] == 1


def test_a_definition_that_changes_later_changes_nothing_and_is_said(sqlite_database, tmp_path):
    driver = QueueDriver()
    before = World(sqlite_database, tmp_path, driver, definition("mine", config={"host": "old"}))
    uid = before.request().id
    world = World(sqlite_database, tmp_path, driver, definition("mine", config={"host": "new"}))
    assert "has changed" in world.get(uid).drift
    assert world.request(params={"size": 2}).outputs["host"] == "old"
    assert world.service.preview(world.wanted(params={"size": 2}, adopt=True), OWNER).op == "change"
    adopted = world.request(params={"size": 2}, adopt=True)
    assert adopted.outputs["host"] == "new"
    assert world.get(uid).drift == ""
    calls = len(driver.calls)
    assert world.request(params={"size": 2}, adopt=True).view() == adopted.view()
    assert len(driver.calls) == calls
    other = World(sqlite_database, tmp_path, driver, definition("yours", criteria={"component": ORDERS}))
    assert "today it would be yours" in other.get(uid).drift
    assert other.remove(uid), "it is removed with what it was made with"


def test_another_driver_takes_nothing_over(sqlite_database, tmp_path):
    first = QueueDriver()
    World(sqlite_database, tmp_path, first).request()
    second = QueueDriver(())
    second.name = "other-queues"
    world = World(sqlite_database, tmp_path, second, definition("others", driver="other-queues"))
    world.parts.registry.add_driver(first, "test")
    with pytest.raises(Conflict, match="made by the driver queues"):
        world.request(adopt=True)


@pytest.mark.parametrize(
    ("definitions", "words"),
    [
        ([definition("a"), definition("b")], "a and b both provide queue of class default everywhere"),
        ([definition("a"), definition("a", criteria={"name": "x"})], "two definitions are named 'a'"),
        ([definition("a", type="moon")], "no resource type 'moon'"),
        ([definition("a", driver="moon")], "no driver 'moon'"),
        ([definition("a", driver="sqlite")], "does not make queue"),
        ([definition("a", config={"hosst": CANARY})], "config.hosst: Extra inputs"),
        ([definition("local-volume", type="volume", driver="local-volume")], "a driver brings a definition named"),
    ],
)
def test_definitions_that_cannot_work_are_told_at_the_start(sqlite_database, tmp_path, definitions, words):
    with pytest.raises(Invalid, match=words) as told:
        World(sqlite_database, tmp_path, None, *definitions)
    assert CANARY not in str(told.value)


def test_what_a_driver_brings_can_be_left_out(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, None, leave_out=("queues",))
    with pytest.raises(Invalid, match="Nobody provides queue"):
        world.request()
    assert {one.name: one.definitions for one in world.service.types(ADMIN)}["queue"] == ()


def test_a_definition_that_a_plugin_brings_and_cannot_work_is_left_out(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, QueueDriver((ResourceDefinition("far", "moon", "queues"),)))
    assert "far" not in {one.name for one in world.service.definitions(ADMIN)}


def test_secrets_are_nowhere_but_in_the_vault(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path, None, definition("mine", config={"admin_secret": "admin"}))
    world.vault.put("admin", SecretStr(f"{CANARY}-admin"))

    def broken(request):
        raise RuntimeError(f"could not sign in with {CANARY}-admin and {request.known.get('password')}")

    made = world.request()
    world.driver.after = broken
    with pytest.raises(FlagstoneError) as told:
        world.request(params={"size": 2})
    world.driver.after = lambda _request: None
    world.request(params={"size": 2})
    world.remove(made.id)
    assert CANARY not in str(told.value)
    assert CANARY not in world.everything()
    assert not [path for path in Path(tmp_path).rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
