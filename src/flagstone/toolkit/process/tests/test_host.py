"""Long-lived processes, with real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.toolkit.process import Limits, LocalProcessHost
from flagstone.toolkit.process.rotation import parts, rotate

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def host(tmp_path):
    host = LocalProcessHost(tmp_path / "processes")
    yield host
    host.close()


@pytest.fixture
def start(host, tmp_path):
    def start(code, *, limits=None, label="test:one", env=None):
        argv = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]
        return host.start(
            argv, cwd=tmp_path, env={**ENV, **(env or {})}, log=tmp_path / "log", limits=limits or Limits(), label=label
        )

    return start


def eventually(check, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := check():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


WITH_GRANDCHILD = """
    import subprocess, sys, time
    print("pid", subprocess.Popen(["sleep", "600"]).pid, flush=True)
    print("pid", subprocess.Popen(["sleep", "601"], start_new_session=True).pid, flush=True)
    time.sleep(600)
"""


def pids_in(log, count=2):
    def look():
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        found = [int(words[1]) for words in lines if words and words[0] == "pid"]
        return found if len(found) >= count else None

    return eventually(look)


def test_output_of_both_streams_goes_to_the_log_and_the_code_comes_back(start, tmp_path):
    process = start("import sys; print('hello'); print('oh', file=sys.stderr); sys.exit(7)")
    assert process.wait(10) == 7
    assert sorted((tmp_path / "log").read_text().split()) == ["hello", "oh"]


def test_a_child_sees_only_what_it_was_given(start, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    assert start("import os; print(sorted(os.environ)); print(os.listdir('/proc/self/fd'))").wait(10) == 0
    text = (tmp_path / "log").read_text()
    assert "SECRET" not in text
    assert "'0', '1', '2', '3'" in text  # 3 is the folder being listed
    assert "'4'" not in text


def test_stopping_ends_the_whole_group_and_leaves_no_zombie(start, host, tmp_path):
    process = start(WITH_GRANDCHILD)
    children = pids_in(tmp_path / "log")
    assert process.stop(grace=5) == -signal.SIGTERM
    for pid in [process.pid, *children]:
        eventually(lambda pid=pid: not psutil.pid_exists(pid))
    assert list((tmp_path / "processes").glob("*.json")) == []


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(start, tmp_path):
    process = start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('pid 1 1', flush=True); time.sleep(60)"
    )
    pids_in(tmp_path / "log", 1)
    started = time.monotonic()
    assert process.stop(grace=0.5) == -signal.SIGKILL
    assert 0.4 < time.monotonic() - started < 60


def test_a_missing_program_is_named(host, tmp_path):
    with pytest.raises(Invalid, match="no-such-program"):
        host.start(["no-such-program"], cwd=tmp_path, env=ENV, log=tmp_path / "log", limits=Limits(), label="x")


def test_a_missing_folder_is_reported_and_the_host_goes_on(host, start, tmp_path):
    with pytest.raises(Invalid, match="could not be started"):
        host.start(["true"], cwd=tmp_path / "gone", env=ENV, log=tmp_path / "log", limits=Limits(), label="x")
    assert start("pass").wait(10) == 0


def test_memory_over_the_limit_ends_it_and_says_so(start):
    process = start(
        "import time; x = [bytearray(b'x' * 1_000_000) for _ in range(200)]; time.sleep(60)",
        limits=Limits(memory=100 << 20),
    )
    assert process.wait(20) == -signal.SIGKILL
    assert "limit is 100 MiB" in process.reason


def test_threads_do_not_count_as_memory(start):
    code = "import threading, time; [threading.Thread(target=time.sleep, args=(0.5,)).start() for _ in range(20)]"
    assert start(code, limits=Limits(memory=64 << 20)).wait(20) == 0


def test_a_fork_bomb_is_bounded_and_ended(start):
    process = start("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", limits=Limits(processes=20))
    assert process.wait(30) is not None
    eventually(lambda: not [p for p in psutil.process_iter() if _session(p) == process.pid])


def _session(process):
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def test_many_start_and_stop_at_once_from_many_threads(start):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: start(f"import sys; sys.exit({number})").wait(20), range(40)))
    assert codes == list(range(40))


def test_the_keeper_killed_takes_everything_with_it_and_the_next_start_works(start, host, tmp_path):
    process = start(WITH_GRANDCHILD)
    children = pids_in(tmp_path / "log")
    host._keeper.kill()
    assert process.wait(10) == -signal.SIGKILL
    for pid in [process.pid, *children]:
        eventually(lambda pid=pid: gone(pid))
    assert start("import sys; sys.exit(5)").wait(10) == 5


SERVER = """
    import sys, time, json
    from pathlib import Path
    from flagstone.toolkit.process import Limits, LocalProcessHost
    folder = Path(sys.argv[1])
    host = LocalProcessHost(folder / "processes")
    code = sys.argv[2]
    process = host.start([sys.executable, "-c", code], cwd=folder, env={"PATH": "/usr/bin:/bin"}, log=folder / "log",
                         limits=Limits(), label="test:one")
    print(json.dumps([process.pid, host._keeper.pid]), flush=True)
    time.sleep(600)
"""


def server(tmp_path, code):
    command = [sys.executable, "-c", textwrap.dedent(SERVER), str(tmp_path), textwrap.dedent(code)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    return process, *json.loads(process.stdout.readline())


def test_kill_9_of_the_server_ends_child_and_grandchildren(tmp_path):
    process, child, keeper = server(tmp_path, WITH_GRANDCHILD)
    with process:
        grandchildren = pids_in(tmp_path / "log")
        process.kill()
    for pid in [child, keeper, *grandchildren]:
        eventually(lambda pid=pid: gone(pid))


def test_kill_9_of_server_and_keeper_at_once_is_reaped_at_the_next_start(tmp_path):
    process, child, keeper = server(tmp_path, WITH_GRANDCHILD)
    with process:
        grandchildren = pids_in(tmp_path / "log")
        os.kill(keeper, signal.SIGSTOP)  # so that it cannot clean up
        process.kill()
    assert not gone(grandchildren[0])
    host = LocalProcessHost(tmp_path / "processes")
    assert host.reap("other:") == []
    reaped = host.reap("test:")
    os.kill(keeper, signal.SIGKILL)
    for pid in [child, *grandchildren]:
        eventually(lambda pid=pid: gone(pid))
    assert set(grandchildren) <= set(reaped)
    assert list((tmp_path / "processes").glob("*.json")) == []
    host.close()


def test_what_a_server_that_lives_has_started_is_never_reaped_by_another(tmp_path):
    process, child, _ = server(tmp_path, "import time; time.sleep(600)")
    with process:
        other = LocalProcessHost(tmp_path / "processes")
        assert other.reap("test:") == []
        assert not gone(child)
        with pytest.raises(Conflict, match="Another Flagstone"):
            other.start(["true"], cwd=tmp_path, env=ENV, log=tmp_path / "log", limits=Limits(), label="x")
        process.kill()
    eventually(lambda: gone(child))
    assert other.start(["true"], cwd=tmp_path, env=ENV, log=tmp_path / "log", limits=Limits(), label="x").wait(10) == 0
    other.close()


def test_a_number_that_was_used_again_is_never_killed(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as stranger:
        folder = tmp_path / "processes"
        folder.mkdir()
        note = {"pid": stranger.pid, "created": psutil.Process(stranger.pid).create_time() - 500, "label": "test:one"}
        (folder / "x.json").write_text(json.dumps(note))
        host = LocalProcessHost(folder)
        assert host.reap("test:") == []
        host.close()
        assert stranger.poll() is None
        stranger.kill()


def test_ctrl_c_and_sigterm_to_the_keeper_change_nothing(start, host):
    process = start("import time; time.sleep(60)")
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(host._keeper.pid, number)
    time.sleep(0.2)
    assert process.poll() is None
    assert process.stop() == -signal.SIGTERM


def test_a_log_is_cut_and_positions_stay_valid(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"%08d\n" % number for number in range(1000)))
    assert rotate(str(log), limit=4500)
    assert log.stat().st_size == 0
    [(offset, path)] = parts(str(log))
    data = Path(path).read_bytes()
    assert data.startswith(b"%08d\n" % (offset // 9))
    assert offset + len(data) == 9000
    log.write_bytes(b"x" * 5000)
    assert rotate(str(log), limit=4500)
    [(second, path)] = parts(str(log))
    assert second + Path(path).stat().st_size == 14000


def test_a_child_that_floods_its_log_is_kept_within_bounds(start, tmp_path):
    process = start("import time\nend = time.time() + 4\nwhile time.time() < end: print('x' * 1000)")
    assert process.wait(30) == 0
    assert sum(file.stat().st_size for file in tmp_path.glob("log*")) < 11_000_000
