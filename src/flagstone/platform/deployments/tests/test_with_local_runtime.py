"""The whole of it with the runtime of local processes: what a person sees over a day."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.request
from urllib.error import HTTPError

import psutil
import pytest

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.platform.deployments.tests.world import BROKEN, OWNER, app_files, until
from flagstone.sdk import RolloutFailed

PORTS = (18100 + os.getpid() % 500 * 8, 18107 + os.getpid() % 500 * 8)


@pytest.fixture
def live(worlds):
    def start():
        return worlds(LocalProcessRuntime(), port_range=PORTS, health_timeout=15)

    return start


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


class Visitor:
    """Asks all the time, and remembers every answer that was not one."""

    def __init__(self, url):
        self.url = url
        self.answers = []
        self.failures = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _ask(self):
        while not self._stop.is_set():
            try:
                self.answers.append(get(self.url))
            except Exception as error:  # noqa: BLE001
                self.failures.append(repr(error))
            time.sleep(0.005)


def test_a_day_in_the_life_of_a_workload(live):
    world = live()
    world.commit(app_files("v1"))
    view = world.deploy()
    assert get(view.url) == "v1"
    with Visitor(view.url) as visitor:
        world.commit(app_files("v2"))
        second = world.deploy()
        until(lambda: "v2" in visitor.answers)
        world.commit(app_files("v3", extra=BROKEN))
        with pytest.raises(RolloutFailed) as caught:
            world.deploy()
        time.sleep(0.3)
    assert visitor.failures == []
    assert second.url == view.url
    assert "v1" in visitor.answers
    assert visitor.answers[-1] == "v2"
    assert caught.value.message.startswith("r3 did not become healthy: ")
    assert "r2 still" in caught.value.message
    assert any("no such table: orders" in line for line in caught.value.last_log)
    shown = world.service.get(view.id, OWNER)
    assert (shown.state, shown.release.version, shown.message) == ("healthy", "r2", caught.value.message)
    assert not psutil.pid_exists(view.pid)

    back = world.service.rollback(OWNER, view.id, execution=world.execution())
    assert (back.release.version, get(back.url)) == ("r1", "v1")

    stopped = world.service.stop(OWNER, view.id, execution=world.execution())
    assert stopped.state == "stopped"
    with pytest.raises(HTTPError):
        get(view.url)
    started = world.service.start(OWNER, view.id, execution=world.execution())
    assert (started.state, started.url, get(started.url)) == ("healthy", view.url, "v1")

    world.service.remove(OWNER, view.id, execution=world.execution())
    assert not psutil.pid_exists(started.pid)
    assert world.all() == []
    assert list((world.folder / "releases").iterdir()) == []
    assert not list((world.folder / "runtime" / "local").glob(f"{view.id}*"))
    with pytest.raises(OSError, match=r"refused|Errno"):
        get(view.url)


def test_after_a_restart_it_is_back_at_its_address(live):
    world = live()
    world.commit(app_files("v1"))
    view = world.deploy()
    world.close()
    assert not psutil.pid_exists(view.pid)
    after = live()
    back = until(
        lambda: [item for item in after.all() if item.state == "healthy" and item.pid not in (None, view.pid)]
    )[0]
    assert (back.url, get(back.url)) == (view.url, "v1")


def test_a_crash_is_mended_and_counted(live):
    world = live()
    world.commit(app_files("v1"))
    view = world.deploy()
    os.kill(view.pid, signal.SIGKILL)
    back = until(lambda: [item for item in world.all() if item.state == "healthy" and item.restarts == 1])[0]
    assert back.pid != view.pid
    assert get(back.url) == "v1"


def test_a_scheduled_job_says_when_it_runs_next(live):
    world = live()
    score = """\
apiVersion: score.dev/v1b1
metadata:
  name: nightly
  annotations:
    flagstone.dev/schedule: "15 2 * * *"
containers:
  main:
    image: "."
    command: ["python", "-c", "print(1)"]
"""
    world.commit(app_files(name="nightly", **{"score.yaml": score}), repository="shop/nightly")
    view = world.deploy(repository="shop/nightly")
    assert (view.state, view.url) == ("scheduled", None)
    assert view.next_run_at is not None
    broken = score.replace("15 2 * * *", "at night")
    world.commit(app_files(name="nightly", **{"score.yaml": broken}), repository="shop/nightly")
    with pytest.raises(Exception, match="cannot run in development") as caught:
        world.deploy(repository="shop/nightly")
    assert str(caught.value.problems[0]).startswith("score.yaml:5 metadata.annotations.flagstone.dev/schedule: ")
