"""Workloads with resources, real processes and a real vault."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.platform.deployments.actions import DeployAction, PromoteAction
from flagstone.platform.deployments.tests.world import ADMIN, CATALOG, OWNER, World, app_files, until
from flagstone.platform.resources import Execution, Wanted
from flagstone.sdk import RolloutFailed
from flagstone.testing.actions import ActionBench

ORDERS = "component:default/orders"
OWNERS = "group:default/checkout"
VARIABLES = """\
    variables:
      KEY: "k:${resources.key.value}"
      DATABASE: ${resources.data.url}
    files:
      settings.ini:
        content: "key = ${resources.key.value}"
    volumes:
      store:
        source: ${resources.files}
"""
RESOURCES = """\
resources:
  key: {type: secret}
  data: {type: sqlite}
  files: {type: volume}
"""
PROGRAM = """
import sqlite3
print("KEY is", os.environ["KEY"], flush=True)
print("FILE is", open("settings.ini").read(), flush=True)
sqlite3.connect(os.environ["DATABASE"].removeprefix("sqlite:///")).execute("CREATE TABLE IF NOT EXISTS orders (id)")
open("store/seen.txt", "a").write("seen\\n")
"""


@pytest.fixture
def world(sqlite_database, tmp_path):
    made = World(sqlite_database, tmp_path / "server", LocalProcessRuntime())
    yield made
    made.close()


def files(extra=PROGRAM, **more):
    found = app_files("v1", extra=extra, **more)
    score = found["score.yaml"].replace("    readinessProbe:", VARIABLES + "    readinessProbe:") + RESOURCES
    return {**found, "score.yaml": score}


def ask(world, environment="development", owner=OWNERS, **members):
    made = {}
    for name, type_ in (("key", "secret"), ("data", "sqlite"), ("files", "volume")):
        wanted = Wanted(type_, "default", name, environment, ORDERS, owner, **members)
        made[name] = world.resources.service.request(ADMIN, wanted, Execution(f"{environment}-{name}-{owner}"))
    return made


def value(world, resource):
    return world.resources.provider.outputs(resource)["value"]


def texts(world, view):
    return [line.text for line in world.service.log(view.id, OWNER)]


def test_a_workload_is_given_what_its_resources_are(world):
    made = ask(world)
    world.commit(files())
    view = world.deploy()
    assert view.state == "healthy"
    assert (Path(made["files"].outputs["source"]) / "seen.txt").read_text() == "seen\n"
    tables = sqlite3.connect(made["data"].outputs["path"]).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("orders",)]
    assert "KEY is k:[secret]" in texts(world, view)
    assert "FILE is key = [secret]" in texts(world, view)


def test_after_a_restart_it_is_given_them_again_from_the_vault(sqlite_database, tmp_path):
    world = World(sqlite_database, tmp_path / "server", LocalProcessRuntime())
    made = ask(world)
    world.commit(files())
    view = world.deploy()
    secret = value(world, made["key"])
    world.close()
    state = [path for path in (tmp_path / "server" / "runtime").rglob("*") if path.is_file()]
    holding = {path.name for path in state if secret.encode() in path.read_bytes()}
    assert holding <= {"settings.ini", "log"}, (
        "only the workload's own files hold it, and what the workload wrote itself"
    )
    again = World(sqlite_database, tmp_path / "server", LocalProcessRuntime())
    again.parts.supervisor.start()
    until(lambda: texts(again, view).count("KEY is k:[secret]") == 2, 30)
    again.close()


def test_secrets_of_resources_are_in_no_row_and_no_event(world, tmp_path):
    made = ask(world)
    secret = value(world, made["key"])
    world.commit(files(extra=PROGRAM + "\nraise SystemExit('no: ' + os.environ['KEY'])"))
    with pytest.raises(RolloutFailed) as failed:
        world.deploy()
    assert "no: k:[secret]" in "\n".join(failed.value.last_log)
    view = world.all()[0]
    assert any("[secret]" in line for line in view.last_log)
    dump = "\n".join(sqlite3.connect(world.db.url.database).iterdump())
    assert secret not in dump
    assert secret not in "\n".join([str(failed.value), *failed.value.last_log, *world.said])
    assert secret not in repr(view)


def test_nothing_is_started_while_one_is_missing(world):
    world.commit(files())
    with pytest.raises(Invalid) as caught:
        world.deploy()
    assert [problem.field for problem in caught.value.problems] == [
        "resources.key",
        "resources.data",
        "resources.files",
    ]
    assert world.all() == []
    made = ask(world)
    world.deploy()
    uid = made["key"].id
    with pytest.raises(Conflict, match="used by orders in development"):
        world.resources.service.remove(ADMIN, uid, Execution("r"))
    world.commit(app_files("v2"))
    world.deploy()
    world.resources.service.remove(ADMIN, uid, Execution("r2"))
    with pytest.raises(Invalid, match="there is no secret key in development"):
        world.service.rollback(OWNER, world.all()[0].id, execution=world.execution())
    assert world.all()[0].state == "healthy"


def test_undeploying_leaves_them_alone(world):
    made = ask(world)
    world.commit(files())
    view = world.deploy()
    world.service.remove(OWNER, view.id, execution=world.execution())
    assert all(world.resources.service.get(one.id, ADMIN).state == "ready" for one in made.values())
    assert (Path(made["files"].outputs["source"]) / "seen.txt").exists()


def test_each_environment_has_its_own(world):
    first, second = ask(world), ask(world, "staging")
    world.commit(files())
    view = world.deploy()
    moved = PromoteAction(world.service, world.parts.planner)
    bench = ActionBench(world.folder / "bench", actor=OWNER)
    assert bench.plan(moved, {"deployment": view.id, "environment": "staging"}).notes[1:] == ()
    bench.run(moved, {"deployment": view.id, "environment": "staging"})
    assert value(world, first["key"]) != value(world, second["key"])
    assert (Path(second["files"].outputs["source"]) / "seen.txt").exists()


def test_the_plan_names_what_is_missing_and_shows_no_secret(world):
    world.commit(files())
    action = DeployAction(world.service, world.parts.planner)
    bench = ActionBench(world.folder / "bench", actor=OWNER)
    planned = bench.plan(action, {"repository": "shop/orders"})
    assert len(planned.notes) == 3
    assert planned.notes[1].startswith("The step fails as long as there is no sqlite data in development. Ask for it: ")
    made = ask(world)
    planned = bench.plan(action, {"repository": "shop/orders"})
    assert planned.notes == ()
    (change,) = [one for one in planned.changes if one.kind == "deployment"]
    assert change.facts["Volume store"] == made["files"].outputs["source"]
    assert value(world, made["key"]) not in repr(planned)
    assert change.facts["Resource data"] == "sqlite data of local-sqlite"


def test_params_of_the_score_file_are_in_the_command_and_compared(world):
    text = app_files()["score.yaml"] + "resources:\n  key: {type: secret, params: {length: 64}}\n"
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid, match=r"secret key --env development .* --param length=64, or by a step"):
        world.deploy()
    ask(world)
    bench = ActionBench(world.folder / "bench", actor=OWNER)
    planned = bench.plan(DeployAction(world.service, world.parts.planner), {"repository": "shop/orders"})
    (change,) = [one for one in planned.changes if one.kind == "deployment"]
    assert change.facts["Resource key"] == "secret key of random, made with length 32, not 64"


def test_a_type_that_no_plugin_brings_is_told_as_such(world):
    text = app_files()["score.yaml"] + "resources:\n  cache: {type: redis}\n"
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid) as caught:
        world.deploy()
    assert "No plugin brings the resource type redis" in caught.value.hint


def test_a_component_of_others_is_not_given_away(world):
    """Whoever calls a workload by the name of another team's component must not get at its secrets, nor give it theirs."""
    ask(world, owner="group:default/search")
    world.commit(files())
    with pytest.raises(Invalid, match="belongs to group:default/search, the workload to group:default/checkout"):
        world.deploy()
    assert world.all() == []
    world.commit(files(**{"catalog-info.yaml": CATALOG.format(name="orders", owner="search")}))
    assert world.deploy(actor=ADMIN).state == "healthy"


def test_one_that_failed_or_is_being_made_is_not_used(world):
    made = ask(world)
    store = world.resources.service._store
    store.change(made["data"].id, made["data"].fence, {"state": "failed", "message": "The disk is full."})
    world.commit(files())
    with pytest.raises(Invalid, match="sqlite data in development is failed: The disk is full"):
        world.deploy()


def test_a_volume_that_was_removed_by_hand_fails_the_rollout_with_what_to_do(world):
    made = ask(world)
    Path(made["files"].outputs["source"]).rmdir()
    world.commit(files())
    with pytest.raises(Exception, match="no folder of this machine"):
        world.deploy()
    ask(world, adopt=True)
    assert world.deploy().state == "healthy"


def test_a_value_that_changed_reaches_the_same_release_when_it_is_deployed_again(world):
    made = ask(world)
    world.commit(files())
    view = world.deploy()
    before = value(world, made["key"])
    longer = Wanted("secret", "default", "key", "development", ORDERS, params={"length": 64})
    world.resources.service.request(ADMIN, longer, Execution("longer"))
    world.deploy()
    (written,) = (world.folder / "runtime").rglob("settings.ini")
    assert len(written.read_text()) == len("key = ") + 64
    assert before not in "\n".join(texts(world, view)), "what it wrote before is masked still"


def test_a_shared_one_belongs_to_no_component(world):
    text = app_files()["score.yaml"] + "resources:\n  key: {type: secret, id: session-key}\n"
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid, match="there is no secret session-key in development"):
        world.deploy()
    shared = Wanted("secret", "default", "session-key", "development", None, OWNERS)
    made = world.resources.service.request(ADMIN, shared, Execution("shared"))
    assert world.deploy().state == "healthy"
    with pytest.raises(Conflict, match="used by orders"):
        world.resources.service.remove(ADMIN, made.id, Execution("r"))
