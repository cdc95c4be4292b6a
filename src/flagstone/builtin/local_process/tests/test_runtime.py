"""Workloads that live, change, crash and end."""

from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import httpx
import psutil
import pytest

from flagstone.kernel.errors import Invalid, Unavailable
from flagstone.sdk import RolloutFailed
from flagstone.testing.suites.runtime_suite import score, web

from .conftest import processes_of


def env_of(bench):
    return ast.literal_eval(bench.get("env"))


class Load:
    """Clients that never stop asking."""

    def __init__(self, url, *, threads=6, keep_alive=True):
        self.url, self.keep_alive = url, keep_alive
        self.seen, self.failures = {}, []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def _ask(self):
        with httpx.Client(timeout=15) as client:
            while not self._end.is_set():
                headers = {} if self.keep_alive else {"connection": "close"}
                try:
                    answer = client.get(self.url, headers=headers)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text[:200]}")
                self.seen[answer.text] = self.seen.get(answer.text, 0) + 1

    def until_seen(self, answer, times=40):
        """Wait until so many requests were answered so."""
        deadline = time.monotonic() + 60
        while self.seen.get(answer, 0) < times:
            assert time.monotonic() < deadline, (self.seen, self.failures[:3])
            time.sleep(0.01)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join(30)


@pytest.mark.parametrize("keep_alive", [True, False])
def test_three_deployments_under_load_without_a_failed_request(bench, keep_alive):
    url = bench.apply(bench.spec({"app.py": web("v1")})).url
    with Load(url, keep_alive=keep_alive) as load, Load(url + "slow", threads=2, keep_alive=keep_alive) as slow:
        for number in range(2, 5):
            load.until_seen(f"v{number - 1}")
            bench.apply(bench.spec({"app.py": web(f"v{number}")}))
        load.until_seen("v4")
    assert load.failures == []
    assert slow.failures == []
    assert set(load.seen) == {"v1", "v2", "v3", "v4"}
    assert len(processes_of(bench.folder)) == 1


def test_a_version_that_fails_under_load_disturbs_nobody(bench):
    url = bench.apply(bench.spec({"app.py": web("v1")})).url
    with Load(url) as load:
        with pytest.raises(RolloutFailed) as caught:
            bench.apply(
                bench.spec(
                    {
                        "app.py": "import time; print('Traceback: no such table', flush=True); time.sleep(0.5); raise SystemExit(1)"
                    }
                )
            )
        time.sleep(0.2)
    assert load.failures == []
    assert set(load.seen) == {"v1"}
    assert "exit code 1" in caught.value.message
    assert "Traceback: no such table" in caught.value.last_log
    status = bench.runtime.status("d1")
    assert status.state == "healthy"
    assert "r1 still runs" in status.message
    assert len(processes_of(bench.folder)) == 1


def test_a_version_that_answers_its_probe_with_an_error_is_rolled_back(make_bench):
    bench = make_bench(health_timeout=1)
    bench.apply(bench.spec({"app.py": web("v1")}))
    with pytest.raises(RolloutFailed, match="GET /healthz answered 500"):
        bench.apply(bench.spec({"app.py": web("v2", status=500)}))
    assert bench.get() == "v1"
    assert len(processes_of(bench.folder)) == 1


def test_a_version_that_never_listens_says_what_it_must_do(make_bench):
    bench = make_bench(health_timeout=1)
    with pytest.raises(RolloutFailed, match="must listen on"):
        bench.apply(bench.spec({"app.py": "import time; time.sleep(60)"}))
    with pytest.raises(RolloutFailed, match="must listen on"):
        bench.apply(bench.spec({"app.py": "import time; time.sleep(60)"}, score(probe=False)))
    assert processes_of(bench.folder) == []


def test_a_program_that_is_not_there_is_named(bench):
    with pytest.raises(RolloutFailed, match="no-such-program") as caught:
        bench.apply(bench.spec({}, score(command=("no-such-program",))))
    assert "Install" in caught.value.hint
    with pytest.raises(RolloutFailed, match="executable"):
        bench.apply(bench.spec({"run.sh": "#!/bin/sh\n"}, score(command=("./run.sh",))))


def test_the_workload_sees_its_own_world_and_no_more(bench, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    bench.apply(bench.spec({"app.py": web()}, score(variables={"GREETING": "hi", "PORT": "1"})))
    env = env_of(bench)
    assert env["GREETING"] == "hi"
    assert env["FLAGSTONE_COMMIT"].startswith("0123456789")
    assert (env["FLAGSTONE_RELEASE"], env["FLAGSTONE_ENVIRONMENT"]) == ("r1", "development")
    assert env["FLAGSTONE_ENTITY"] == "component:default/shop"
    assert env["PORT"] == env["PORT_HTTP"] != "1"
    assert "SECRET_OF_THE_SERVER" not in env
    assert set(env) - {"LC_CTYPE"} == {
        "PATH",
        "LANG",
        "TZ",
        "PYTHONUNBUFFERED",
        "GREETING",
        "HOME",
        "TMPDIR",
        "HOST",
        "PORT",
        "PORT_HTTP",
        "FLAGSTONE_COMMIT",
        "FLAGSTONE_RELEASE",
        "FLAGSTONE_ENVIRONMENT",
        "FLAGSTONE_ENTITY",
        "FLAGSTONE_PROCESS_HOST",
        "FLAGSTONE_PROCESS_ID",
        "FLAGSTONE_PROCESS_LABEL",
    }


def test_the_working_folder_is_private_to_each_release(bench, tmp_path):
    spec = bench.spec({"app.py": "open('written', 'x')\n" + web(), "data/x": "1"})
    (spec.source_dir / "link").symlink_to("/etc")
    bench.apply(spec)
    assert not (spec.source_dir / "written").exists()
    [folder] = (tmp_path / "state/d1/releases").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "data", "written"]
    bench.apply(bench.spec({"app.py": "open('written', 'x')\n" + web("two")}))
    assert len(list((tmp_path / "state/d1/releases").iterdir())) == 1


def test_files_of_the_container_are_written(bench, tmp_path):
    files = {
        "conf/a.txt": {"content": "hello", "mode": "0600"},
        "b.bin": {"binaryContent": "AAE="},
        "c.txt": {"source": "app.py"},
    }
    bench.apply(bench.spec({"app.py": web()}, score(files=files)))
    [folder] = (tmp_path / "state/d1/releases").iterdir()
    assert (folder / "conf/a.txt").read_text() == "hello"
    assert (folder / "b.bin").read_bytes() == b"\0\1"
    assert (folder / "c.txt").read_text() == web()
    assert bench.runtime.check(score(files={"/etc/x": {"content": ""}}))
    assert bench.runtime.check(score(files={"../x": {"content": ""}}))


def test_what_cannot_be_run_is_said_at_once(bench):
    document = score()
    document["containers"]["second"] = {"image": "x"}
    document["metadata"]["annotations"] = {"flagstone.dev/schedule": "whenever"}
    document["containers"]["main"]["volumes"] = {"/data": {"source": "x"}}
    problems = bench.runtime.check(document)
    assert len(problems) == 3
    assert all(problem.field for problem in problems)
    with pytest.raises(Invalid) as caught:
        bench.apply(bench.spec({}, document))
    assert caught.value.problems == tuple(problems)
    assert "command" in str(bench.runtime.check(score(command=()))[0])


def test_a_crash_is_followed_by_a_restart(bench):
    bench.apply(bench.spec({"app.py": web("one")}))
    first = bench.runtime.status("d1").pid
    os.kill(first, signal.SIGKILL)
    status = bench.until(lambda status: status.state == "healthy" and status.pid != first)
    assert status.restarts == 1
    assert bench.get() == "one"
    assert any("signal SIGKILL" in line.text for line in bench.runtime.log("d1") if line.stream == "runtime")


def test_a_crash_loop_is_called_by_its_name_and_still_tried(bench):
    code = "import threading, os, time\nthreading.Timer(1, lambda: os._exit(9)).start()\n" + web("short")
    bench.apply(bench.spec({"app.py": code}))
    status = bench.until(lambda status: status.state == "crashed", seconds=40)
    assert status.restarts >= 5
    assert "exit code 9" in status.message
    assert "hello from short" in status.last_log
    url = status.url
    bench.until(lambda status: status.restarts >= 7)
    states = [status.state for _, status in bench.changes]
    assert "starting" in states
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = httpx.get(url)
        if answer.status_code == 503:
            break
    assert answer.status_code == 503
    assert "shop has crashed" in answer.text
    bench.apply(bench.spec({"app.py": web("mended")}))
    assert bench.get() == "mended"


def test_a_liveness_probe_that_keeps_failing_restarts_it(bench):
    code = (
        web("one")
        .replace("def log_message", "def log_message2")
        .replace("class Handler", "BORN = time.time()\nclass Handler", 1)
    )
    code = code.replace(
        "self.send_response(200 if", "self.send_response((500 if time.time() - BORN > 1 else 200) if", 1
    )
    code = code.replace("def log_message2(self, *a): pass", "def log_message(self, *a): pass")
    document = score(livenessProbe={"httpGet": {"path": "/healthz", "port": 8080}})
    first = bench.apply(bench.spec({"app.py": code}, document)).pid
    status = bench.until(lambda status: status.restarts >= 1 and status.state == "healthy")
    assert status.pid != first
    assert any("liveness probe failed 3 times" in line.text for line in bench.runtime.log("d1"))


def test_a_readiness_probe_that_fails_later_shows_as_degraded(bench, tmp_path):
    flag = tmp_path / "sick"
    document = score(
        probe=False,
        readinessProbe={
            "exec": {"command": ["python3", "-c", f"import os, sys; sys.exit(os.path.exists({str(flag)!r}))"]}
        },
    )
    bench.apply(bench.spec({"app.py": web()}, document))
    flag.write_text("")
    status = bench.until(lambda status: status.state == "degraded")
    assert "exit code 1" in status.message
    flag.unlink()
    bench.until(lambda status: status.state == "healthy")


def test_a_worker_without_a_port_is_healthy_when_it_lives(bench):
    status = bench.apply(
        bench.spec({"app.py": "import time\nwhile True: time.sleep(1)"}, score(ports=False, probe=False))
    )
    assert (status.state, status.url) == ("healthy", None)
    with pytest.raises(RolloutFailed, match="exit code 0"):
        bench.apply(bench.spec({"app.py": ""}, score(ports=False, probe=False)))


def test_more_memory_than_allowed_ends_it_with_the_reason(bench):
    code = "import threading, time\nthreading.Timer(0.5, lambda: globals().update(x=[b'x' * 1_000_000 for _ in range(200)])).start()\n"
    bench.apply(bench.spec({"app.py": code + web()}, score(resources={"limits": {"memory": "96Mi", "cpu": "500m"}})))
    bench.until(lambda status: "memory" in status.message)
    assert any("limit is 96 MiB" in line.text for line in bench.runtime.log("d1"))


def test_stopping_and_removing_leave_no_process_and_no_file(bench, tmp_path):
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nsubprocess.Popen(['sleep', '601'], start_new_session=True)\n"
    bench.apply(bench.spec({"app.py": code + web()}))
    assert len(processes_of(tmp_path)) == 3
    url = bench.runtime.status("d1").url
    bench.runtime.stop("d1")
    assert processes_of(tmp_path) == []
    answer = httpx.get(url)
    assert answer.status_code == 503
    assert "shop is stopped" in answer.text
    bench.apply(bench.spec({"app.py": code + web()}))
    said = bench.runtime.remove("d1")
    assert any("process" in line for line in said)
    assert any(url in line for line in said)
    assert processes_of(tmp_path) == []
    assert list((tmp_path / "state").iterdir()) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert [thread.name for thread in threading.enumerate() if thread.name == "local-shop"] == []


def test_closing_ends_everything_soon_even_what_ignores_sigterm(bench, tmp_path):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + web()
    for number in range(3):
        bench.apply(bench.spec({"app.py": stubborn}, id=f"d{number}"))
    begin = time.monotonic()
    bench.close()
    assert time.monotonic() - begin < 10
    assert processes_of(tmp_path) == []


def test_a_port_that_a_stranger_took_meanwhile_is_replaced(bench):
    spec = bench.spec({"app.py": web("one")})
    url = bench.apply(spec).url
    bench.close()
    with socket.create_server(("127.0.0.1", int(url.rstrip("/").rsplit(":", 1)[1]))):
        bench.open()
        bench.runtime.restore(spec)
        status = bench.until(lambda status: status.state == "healthy")
        assert status.url != url
        assert bench.get() == "one"
    assert any("is used by something else" in line.text for line in bench.runtime.log("d1"))


def test_a_stopped_deployment_keeps_its_port_from_others(bench):
    url = bench.apply(bench.spec({"app.py": web("one")}, id="d1")).url
    bench.runtime.stop("d1")
    bench.close()
    bench.open()
    assert bench.runtime.status("d1").state == "stopped"
    assert "is stopped" in httpx.get(url).text
    assert bench.apply(bench.spec({"app.py": web("two")}, id="d2")).url != url
    assert bench.apply(bench.spec({"app.py": web("one")}, id="d1")).url == url


def test_no_port_left_says_so(bench):
    bench.close()
    bench.ports = (bench.ports[0], bench.ports[0])
    bench.open()
    bench.apply(bench.spec({"app.py": web("one")}, id="d1"))
    with pytest.raises((RolloutFailed, Unavailable), match="No port"):
        bench.apply(bench.spec({"app.py": web("two")}, id="d2"))
    assert len(processes_of(bench.folder)) == 1


KILLED = """
    import sys, time, pickle
    from pathlib import Path
    from flagstone.builtin.local_process.runtime import LocalProcessRuntime
    from flagstone.sdk import RuntimeContext
    from flagstone.toolkit.process import LocalProcessHost
    folder = Path(sys.argv[1])
    ports, spec = pickle.loads((folder / "spec").read_bytes())
    runtime = LocalProcessRuntime()
    runtime.open(RuntimeContext(LocalProcessHost(folder / "processes"), folder / "state", "127.0.0.1", "127.0.0.1", ports, lambda *a: None))
    print(runtime.apply(spec, lambda text: None, lambda: False).url, flush=True)
    time.sleep(600)
"""


def test_kill_9_of_the_server_leaves_nothing_and_restore_brings_it_back(bench, tmp_path):
    import pickle

    code = "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n" + web("one")
    spec = bench.spec({"app.py": code})
    bench.close()
    (tmp_path / "spec").write_bytes(pickle.dumps((bench.ports, spec)))
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ) as server:
        url = server.stdout.readline().strip()
        assert httpx.get(url).text == "one"
        old = set(processes_of(tmp_path))
        assert len(old) == 2
        server.kill()
    deadline = time.monotonic() + 10
    while processes_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(tmp_path) == []
    bench.open()
    bench.runtime.restore(spec)
    assert bench.until(lambda status: status.state == "healthy").url == url
    assert httpx.get(url).text == "one"
    assert len(processes_of(tmp_path)) == 2
    assert sum("hello from one" in line.text for line in bench.runtime.log("d1")) == 2


def test_a_restore_that_cannot_start_keeps_trying(bench):
    spec = bench.spec({"app.py": "print('no', flush=True)\nraise SystemExit(4)"})
    bench.runtime.restore(spec)
    status = bench.until(lambda status: status.state == "crashed")
    assert "exit code 4" in status.message
    assert status.last_log == ("no",)
    assert "crashed" in httpx.get(status.url).text


def scheduled(**options):
    document = score(ports=False, probe=False, **options)
    document["metadata"]["annotations"] = {"flagstone.dev/schedule": "* * * * * *"}
    return document


def test_a_scheduled_workload_runs_on_time_and_logs_each_execution(bench):
    status = bench.apply(bench.spec({"app.py": "print('report', flush=True)"}, scheduled()))
    assert status.state == "scheduled"
    assert status.next_run_at is not None
    assert status.url is None
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        texts = [line.text for line in bench.runtime.log("d1")]
        if sum("ended with exit code 0" in text for text in texts) >= 2:
            break
        time.sleep(0.1)
    assert texts.count("report") >= 2
    assert sum("begins" in text for text in texts) >= 2
    assert bench.runtime.status("d1").state == "scheduled"
    bench.runtime.stop("d1")
    count = len(bench.runtime.log("d1"))
    time.sleep(1.5)
    assert len(bench.runtime.log("d1")) == count


def test_an_execution_that_fails_shows_as_degraded_until_one_succeeds(bench, tmp_path):
    flag = tmp_path / "bad"
    flag.write_text("")
    code = f"import os, sys\nprint('trying', flush=True)\nsys.exit(6 if os.path.exists({str(flag)!r}) else 0)"
    bench.apply(bench.spec({"app.py": code}, scheduled()))
    status = bench.until(lambda status: status.state == "degraded")
    assert "exit code 6" in status.message
    assert "trying" in status.last_log
    flag.unlink()
    bench.until(lambda status: status.state == "scheduled" and not status.message)


def test_executions_do_not_overlap_and_are_ended_when_they_take_too_long(bench, tmp_path):
    code = "import time\nprint('begin', flush=True)\ntime.sleep(60)"
    bench.apply(bench.spec({"app.py": code}, scheduled()))
    time.sleep(2.5)
    assert len(processes_of(tmp_path)) == 1
    status = bench.until(lambda status: status.state == "degraded")
    assert "took longer than 3 s" in status.message
    bench.runtime.remove("d1")
    assert processes_of(tmp_path) == []


def test_a_service_that_becomes_a_job_gives_its_address_back(bench):
    url = bench.apply(bench.spec({"app.py": web("one")})).url
    status = bench.apply(bench.spec({"app.py": "print(1)"}, scheduled()))
    assert (status.state, status.url) == ("scheduled", None)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert bench.apply(bench.spec({"app.py": web("again")})).state == "healthy"


def test_a_disk_that_is_full_is_a_clear_error(bench, tmp_path):
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "d1").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be copied"):
        bench.apply(bench.spec({"app.py": web()}))


def test_ids_that_are_not_file_names_are_fine(bench, tmp_path):
    bench.apply(bench.spec({"app.py": web("one")}, id="../../evil/✓"))
    assert bench.get(id="../../evil/✓") == "one"
    assert len(list((tmp_path / "state").iterdir())) == 1
    bench.close()
    bench.open()
    assert "is starting" in httpx.get(f"http://127.0.0.1:{bench.ports[0]}/").text


def test_wrong_options_are_refused(make_bench):
    with pytest.raises(Invalid, match="nonsense"):
        make_bench(nonsense=1)
    with pytest.raises(Invalid, match="stop_grace"):
        make_bench(stop_grace=-1)
    assert psutil.pid_exists(os.getpid())
