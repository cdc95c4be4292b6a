"""Deploying, going back, stopping, removing: with real repositories, real processes and a real database."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request

import psutil
import pytest

from flagstone.foundation.audit import AuditQuery
from flagstone.kernel.actor import ANONYMOUS
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Temporary, Unauthenticated
from flagstone.platform.deployments.tests.small_runtime import SmallRuntime
from flagstone.platform.deployments.tests.world import ADMIN, BROKEN, OWNER, STRANGER, app_files, until
from flagstone.sdk import RolloutFailed


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def quietly(call):
    """What a call raises; for threads."""
    try:
        call()
    except Exception as error:  # noqa: BLE001
        return error
    return None


def test_a_commit_becomes_a_running_workload(world):
    commit = world.commit(app_files("v1"), message="First version")
    view = world.deploy()
    assert (view.state, view.workload, view.environment, view.runtime) == ("healthy", "orders", "development", "local")
    assert view.entity_ref == "component:default/orders"
    assert view.owner == "group:default/checkout"
    assert (view.release.version, view.release.commit, view.release.message) == ("r1", commit, "First version")
    assert view.last_run_id == "run-1"
    assert get(view.url) == "v1"
    assert any("started r1" in line for line in world.said)
    assert [item.text for item in world.service.log(view.id, OWNER)] == ["starting v1"]
    assert world.environments.list(OWNER)[0].deployments == 1


def test_the_next_version_takes_over_and_the_first_can_come_back(world):
    world.commit(app_files("v1"))
    first = world.deploy()
    world.commit(app_files("v2"))
    second = world.deploy()
    assert second.id == first.id
    assert (second.release.version, get(second.url)) == ("r2", "v2")
    back = world.service.rollback(OWNER, first.id, execution=world.execution())
    assert (back.release.version, get(back.url)) == ("r1", "v1")
    named = world.service.rollback(OWNER, first.id, to="r2", execution=world.execution())
    assert (named.release.version, get(named.url)) == ("r2", "v2")
    with pytest.raises(NotFound, match="no release 'r9'"):
        world.service.rollback(OWNER, first.id, to="r9", execution=world.execution())
    history = world.service.history(first.id, OWNER).items
    assert [(item.operation, item.version, item.outcome) for item in history] == [
        ("rollback", "r2", "succeeded"),
        ("rollback", "r1", "succeeded"),
        ("deploy", "r2", "succeeded"),
        ("deploy", "r1", "succeeded"),
    ]
    assert [item.version for item in world.service.list_releases(first.id, OWNER).items] == ["r2", "r1"]


def test_a_version_that_does_not_become_healthy_leaves_the_old_one_running_and_says_why(world):
    world.commit(app_files("v1"))
    first = world.deploy()
    world.commit(app_files("v2", extra=BROKEN))
    with pytest.raises(RolloutFailed) as caught:
        world.deploy()
    assert caught.value.last_log[-2:] == ("starting v2", "no such table: orders")
    assert caught.value.message == "r2 did not become healthy: it ended with code 3; r1 still serves."
    view = world.service.get(first.id, OWNER)
    assert (view.state, view.message, view.release.version) == ("healthy", caught.value.message, "r1")
    assert view.last_log[-1] == "no such table: orders"
    assert get(view.url) == "v1"
    assert world.service.history(first.id, OWNER).items[0].outcome == "failed"
    world.parts.supervisor.look(first.id)
    assert world.service.get(first.id, OWNER).message == caught.value.message


def test_a_first_version_that_does_not_start_is_failed_with_its_last_lines(world):
    world.commit(app_files("v1", extra=BROKEN))
    with pytest.raises(RolloutFailed):
        world.deploy()
    (view,) = world.all()
    assert (view.state, view.release, view.url, view.pid) == ("failed", None, None, None)
    assert view.message == "r1 did not become healthy: it ended with code 3."
    assert view.last_log[-1] == "no such table: orders"
    with pytest.raises(Conflict, match="has ever become healthy"):
        world.service.start(OWNER, view.id, execution=world.execution())
    world.commit(app_files("v2"))
    assert world.deploy().state == "healthy"
    assert world.all()[0].last_log == ()


def test_stopped_and_started_again(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    stopped = world.service.stop(OWNER, view.id, execution=world.execution())
    assert (stopped.state, stopped.desired, stopped.pid, stopped.release.version) == ("stopped", "stopped", None, "r1")
    until(lambda: not psutil.pid_exists(view.pid))
    assert world.service.stop(OWNER, view.id, execution=world.execution()).state == "stopped"
    started = world.service.start(OWNER, view.id, execution=world.execution())
    assert (started.state, started.desired, get(started.url)) == ("healthy", "running", "v1")


def test_a_failed_rollout_of_a_stopped_deployment_leaves_it_stopped(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    world.service.stop(OWNER, view.id, execution=world.execution())
    world.commit(app_files("v2", extra=BROKEN))
    with pytest.raises(RolloutFailed, match="r1 is stopped"):
        world.deploy()
    after = world.service.get(view.id, OWNER)
    assert (after.state, after.desired) == ("stopped", "stopped")


def test_removing_says_what_went_and_proves_it(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    release_folder = world.folder / "releases" / view.release.id
    assert release_folder.is_dir()
    removed = world.service.remove(OWNER, view.id, execution=world.execution("away"))
    assert removed[0] == f"process {view.pid}"
    assert removed[-1] == "the files of 1 release"
    assert "Checked: no process, no open port and no files of it are left." in world.said
    assert not psutil.pid_exists(view.pid)
    assert not release_folder.exists()
    assert world.all() == []
    assert world.told()[-1]["state"] == "removed"
    assert world.service.remove(OWNER, view.id, execution=world.execution("away")) == removed
    with pytest.raises(NotFound):
        world.service.remove(OWNER, view.id, execution=world.execution())
    assert world.deploy().release.version == "r1"


def test_what_is_not_gone_is_not_said_to_be(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    world.runtime.keep_on_remove = True
    with pytest.raises(Conflict) as caught:
        world.service.remove(OWNER, view.id, execution=world.execution())
    for part in (f"its process {view.pid} still runs", f"something still listens at {view.url}", "still knows it"):
        assert part in caught.value.message
    assert world.service.get(view.id, OWNER).state == "failed"
    world.runtime.keep_on_remove = False
    world.service.remove(OWNER, view.id, execution=world.execution())
    assert world.all() == []


def test_files_that_another_environment_needs_are_kept(world):
    world.commit(app_files("v1"))
    here, there = world.deploy(), world.deploy(environment="staging")
    assert here.release == there.release
    world.service.remove(OWNER, here.id, execution=world.execution())
    assert (world.folder / "releases" / there.release.id).is_dir()
    assert get(there.url) == "v1"


def test_owners_and_maintainers_may_deploy_and_others_are_told_whom_to_ask(world):
    world.commit(app_files("v1"))
    with pytest.raises(Denied, match="group:default/checkout"):
        world.deploy(STRANGER)
    assert world.all() == []
    with pytest.raises(Unauthenticated):
        world.deploy(ANONYMOUS)
    view = world.deploy(OWNER)
    for change in (world.service.stop, world.service.start, world.service.rollback, world.service.remove):
        with pytest.raises(Denied):
            change(STRANGER, view.id, execution=world.execution())
    assert world.deploy(ADMIN).state == "healthy"


def test_nobody_takes_over_a_deployment_from_a_repository_of_their_own(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    world.commit(app_files("evil", owner="search"), repository="search/orders")
    with pytest.raises(Denied):
        world.deploy(STRANGER, repository="search/orders", entity_ref="component:default/orders")
    assert get(view.url) == "v1"


def test_an_owner_that_changes_in_the_catalog_file_changes_with_the_next_deployment(world):
    world.commit(app_files("v1"))
    world.deploy()
    world.commit(app_files("v2", owner="user:default/jane"))
    assert world.deploy().owner == "user:default/jane"


def test_an_owner_that_the_caller_names_is_recorded_but_opens_no_door(world):
    world.commit(app_files("v1", **{"catalog-info.yaml": None}))
    with pytest.raises(Denied):
        world.deploy(OWNER, owner="group:default/checkout")
    view = world.deploy(ADMIN, owner="checkout")
    assert (view.owner, view.entity_ref) == ("group:default/checkout", "component:default/orders")
    assert world.deploy(OWNER).state == "healthy"


def test_every_change_is_in_the_audit_and_in_the_events(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    with pytest.raises(Denied):
        world.service.stop(STRANGER, view.id, execution=world.execution())
    world.service.stop(OWNER, view.id, execution=world.execution())
    rows = [(row.action, row.outcome) for row in world.audit.list(AuditQuery()).items]
    assert rows[:3] == [
        ("deployments.deployment.stop", "ok"),
        ("deployments.deployment.write", "denied"),
        ("deployments.deployment.deploy", "ok"),
    ]
    assert [event["state"] for event in world.told()] == ["deploying", "healthy", "stopped"]
    assert world.told()[0]["entity_ref"] == "component:default/orders"


def test_a_step_that_was_done_is_not_done_again(world):
    world.commit(app_files("v1"))
    view = world.deploy(key="step")
    again = world.deploy(key="step")
    assert again == view
    assert world.runtime.applied == ["r1"]
    world.service.stop(OWNER, view.id, execution=world.execution("halt"))
    assert world.deploy(key="step").state == "healthy"


def test_two_rollouts_of_one_deployment_come_one_after_the_other(world):
    world.commit(app_files("v1"))
    world.deploy()
    world.commit(app_files("v2"))
    world.runtime.pause = threading.Event()
    world.runtime.entered.clear()
    first = threading.Thread(target=world.deploy)
    first.start()
    world.runtime.entered.wait(5)
    said = []
    second = threading.Thread(target=lambda: world.deploy(execution=world.execution(progress=said.append)))
    second.start()
    until(lambda: any("is being changed by run run-2" in line for line in said))
    during = world.all()[0]
    assert (during.state, during.message) == ("deploying", "r2 is being brought up; r1 serves meanwhile.")
    assert get(during.url) == "v1"
    world.runtime.pause.set()
    first.join(10)
    second.join(10)
    assert world.all()[0].state == "healthy"


def test_who_waits_too_long_is_told_who_is_at_work(worlds):
    world = worlds(lock_wait=0.2)
    world.commit(app_files("v1"))
    view = world.deploy()
    world.commit(app_files("v2"))
    world.runtime.pause = threading.Event()
    world.runtime.entered.clear()
    first = threading.Thread(target=world.deploy)
    first.start()
    world.runtime.entered.wait(5)
    with pytest.raises(Conflict, match="being changed by run run-2"):
        world.service.stop(OWNER, view.id, execution=world.execution())
    world.runtime.pause.set()
    first.join(10)
    assert get(world.all()[0].url) == "v2"


def test_a_cancelled_rollout_leaves_what_ran(world):
    world.commit(app_files("v1"))
    world.deploy()
    world.commit(app_files("v2"))
    world.runtime.pause = threading.Event()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(RolloutFailed):
        world.deploy(execution=world.execution(cancelled=stop.is_set))
    view = world.all()[0]
    assert (view.state, view.message) == ("healthy", "The rollout of r2 was cancelled; r1 still serves.")
    assert world.service.history(view.id, OWNER).items[0].outcome == "cancelled"


def test_a_crash_is_seen_with_its_last_lines(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    os.kill(view.pid, signal.SIGKILL)
    crashed = until(lambda: [item for item in world.all() if item.state == "crashed"])[0]
    assert crashed.message == "it ended with code -9"
    assert crashed.last_log == ("starting v1",)
    assert world.told()[-1]["state"] == "crashed"


def test_after_a_restart_what_should_run_runs_and_what_was_stopped_stays_so(worlds):
    world = worlds()
    world.commit(app_files("v1"))
    world.commit(app_files("v1", name="other"), repository="shop/other")
    running = world.deploy()
    other = world.deploy(repository="shop/other")
    world.service.stop(OWNER, other.id, execution=world.execution())
    world.close()
    assert not psutil.pid_exists(running.pid)
    assert world.all()[0].state == "healthy"
    after = worlds()
    back = until(
        lambda: [item for item in after.all() if item.state == "healthy" and item.pid not in (running.pid, None)]
    )
    assert get(after.all()[0].url) == "v1"
    assert back[0].release.version == "r1"
    assert after.runtime.restored == ["r1"]
    assert after.service.get(other.id, OWNER).state == "stopped"
    assert after.service.start(OWNER, other.id, execution=after.execution()).state == "healthy"


def test_one_that_cannot_come_back_does_not_keep_the_others(worlds):
    world = worlds()
    world.commit(app_files("v1"))
    world.commit(app_files("v1", name="other"), repository="shop/other")
    lost, kept = world.deploy(), world.deploy(repository="shop/other")
    world.close()
    world.folders.put_aside("shop/orders")
    for folder in (world.folder / "releases").iterdir():
        if folder.name == lost.release.id:
            (folder / "app.py").unlink()
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    after = worlds()
    until(lambda: after.service.get(kept.id, OWNER).pid not in (kept.pid, None))
    failed = until(lambda: [item for item in after.all() if item.state == "failed"])[0]
    assert failed.id == lost.id
    assert failed.message.startswith("It could not be brought back after a restart: ")


def test_a_rollout_cut_off_by_a_crash_goes_on_once_and_the_old_release_is_there_to_fall_back_on(worlds):
    world = worlds()
    world.commit(app_files("v1"))
    first = world.deploy()
    world.commit(app_files("v2", extra=BROKEN))
    # As a killed server leaves it: the lock is held, the history says running, no process is left.
    world.runtime.pause = threading.Event()
    world.runtime.entered.clear()
    cut_off = threading.Thread(target=quietly, args=(lambda: world.deploy(key="cut-off"),))
    cut_off.start()
    world.runtime.entered.wait(5)
    row = {"holder": "cut-off", "state": "deploying"}
    assert {key: getattr(world.parts.store.get(first.id), key) for key in row} == row
    world.processes.close()
    after = worlds()
    with pytest.raises(RolloutFailed, match="r1 still serves"):
        after.deploy(key="cut-off")
    assert after.runtime.restored == ["r1"]
    until(lambda: after.all()[0].state == "healthy")
    assert get(after.all()[0].url) == "v1"
    outcomes = [item.outcome for item in after.service.history(first.id, OWNER).items]
    assert outcomes == ["failed", "succeeded"]
    world.runtime.pause.set()
    cut_off.join(10)


def test_a_repository_without_a_score_file_is_told_what_to_add(world):
    world.commit(app_files("v1", **{"score.yaml": None}))
    with pytest.raises(NotFound, match=r"There is no score.yaml in shop/orders at"):
        world.deploy()
    with pytest.raises(NotFound, match="no repository"):
        world.deploy(repository="shop/nothing")
    with pytest.raises(NotFound, match="no environment named 'moon'"):
        world.deploy(environment="moon")
    with pytest.raises(NotFound):
        world.deploy(commit="0" * 40)


def test_all_faults_of_a_workload_are_told_with_file_and_line(world):
    text = app_files()["score.yaml"].replace('image: "."', "image: 5").replace("port: 8080\n", "port: 80800\n", 1)
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid) as caught:
        world.deploy()
    assert [str(problem) for problem in caught.value.problems] == [
        'score.yaml:6 containers.main.image: must be a text, not a number (Put it in quotes: "5".)',
        "score.yaml:11 containers.main.readinessProbe.httpGet.port: 80800 is greater than the maximum of 65535",
    ]
    assert world.all() == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "holds no Score document"),
        ("[]", "holds no Score document"),
        ("a: 1\n---\nb: 2\n", "holds more than one document"),
        ("a: [", "score.yaml"),
        ("apiVersion: score.dev/v1b1\napiVersion: x\n", "there twice"),
    ],
)
def test_a_broken_score_file_is_told_apart(world, text, part):
    world.commit(app_files("v1", **{"score.yaml": text + "\n# end\n"}))
    with pytest.raises(Invalid) as caught:
        world.deploy()
    assert part in str(caught.value)


def test_what_the_runtime_cannot_run_is_told_with_its_line(world):
    text = app_files()["score.yaml"].replace('    command: ["python", "app.py"]\n', "")
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid, match="cannot run in development on the runtime local") as caught:
        world.deploy()
    assert str(caught.value.problems[0]).startswith("score.yaml:5 containers.main.command: nothing to start")


def test_a_resource_that_is_not_there_is_named_with_how_to_ask_for_it(world):
    text = app_files()["score.yaml"] + "resources:\n  db:\n    type: postgres\n"
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid, match="there is no postgres db in development") as caught:
        world.deploy()
    (problem,) = caught.value.problems
    assert str(problem).startswith("score.yaml:17 resources.db: ")
    command = "flagstone resources request postgres db --env development --component component:default/orders"
    assert f"{command} --owner group:default/checkout" in problem.hint
    assert world.all() == []


def test_placeholders_and_files_reach_the_workload(world):
    text = app_files()["score.yaml"].replace(
        "    readinessProbe:", '    variables:\n      WHO: "${metadata.name} for $$5"\n    readinessProbe:'
    )
    world.commit(app_files("v1", extra='print("I am", os.environ["WHO"], flush=True)', **{"score.yaml": text}))
    view = world.deploy()
    assert "I am orders for $5" in [line.text for line in world.service.log(view.id, OWNER)]


def test_a_file_of_the_workload_cannot_come_from_outside_the_commit(world):
    text = app_files()["score.yaml"].replace(
        "    readinessProbe:", "    files:\n      /etc/x:\n        source: ../../platform.db\n    readinessProbe:"
    )
    world.commit(app_files("v1", **{"score.yaml": text}))
    with pytest.raises(Invalid):
        world.deploy()
    assert world.all()[0].state == "failed"


def test_old_files_are_pruned_and_a_rollback_fetches_them_again(worlds):
    world = worlds(keep_releases=2)
    for number in range(1, 5):
        world.commit(app_files(f"v{number}"))
        view = world.deploy()
    assert len(list((world.folder / "releases").iterdir())) == 2
    back = world.service.rollback(OWNER, view.id, to="r1", execution=world.execution())
    assert get(back.url) == "v1"


def test_a_follower_sees_the_log_grow(world):
    import asyncio

    world.commit(app_files("v1"))
    view = world.deploy()
    world.service.stop(OWNER, view.id, execution=world.execution())

    async def follow():
        seen = []
        async for line in world.service.follow_log(view.id, OWNER):
            seen.append(line.text)
            if len(seen) == 1:
                await asyncio.to_thread(world.service.start, OWNER, view.id, execution=world.execution())
            if len(seen) == 2:
                await asyncio.to_thread(world.service.remove, OWNER, view.id, execution=world.execution())
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 20)) == ["starting v1", "starting v1"]


def test_what_is_seen_needs_somebody_signed_in(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    for look in (world.service.get, world.service.log, world.service.history, world.service.list_releases):
        with pytest.raises(Unauthenticated):
            look(view.id, ANONYMOUS)
    with pytest.raises(NotFound):
        world.service.get("nothing", OWNER)


def test_runtimes_are_opened_once_and_closed_with_the_server(worlds):
    runtime = SmallRuntime()
    world = worlds(runtime)
    world.commit(app_files("v1"))
    view = world.deploy()
    world.close()
    assert runtime.closed
    assert not psutil.pid_exists(view.pid)


def test_a_rollout_that_the_server_stops_in_the_middle_goes_on_after_the_next_start(worlds):
    world = worlds()
    world.commit(app_files("v1"))
    first = world.deploy()
    world.commit(app_files("v2"))
    world.runtime.pause = threading.Event()
    world.runtime.entered.clear()
    errors = []
    under_way = threading.Thread(target=lambda: errors.append(quietly(lambda: world.deploy(key="step"))))
    under_way.start()
    world.runtime.entered.wait(5)
    world.close()
    under_way.join(10)
    assert [type(error) for error in errors] == [Temporary]
    with pytest.raises(Temporary):
        world.service.stop(OWNER, first.id, execution=world.execution())
    assert world.service.history(first.id, OWNER).items[0].outcome == "running"
    after = worlds()
    view = after.deploy(key="step")
    assert (view.release.version, get(view.url)) == ("r2", "v2")
    assert [item.outcome for item in after.service.history(first.id, OWNER).items] == ["succeeded", "succeeded"]
    assert after.runtime.restored == ["r1"]
