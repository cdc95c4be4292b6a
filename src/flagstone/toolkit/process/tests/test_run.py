"""Short programs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from flagstone.kernel.errors import Invalid, Permanent, Temporary
from flagstone.toolkit.process import Limits, run

ENV = {"PATH": "/usr/bin:/bin"}


def python(code, **kwargs):
    options = {"cwd": "/", "env": ENV, "timeout": 20, **kwargs}
    return run([sys.executable, "-I", "-S", "-c", code], **options)


def test_output_and_exit_code_come_back():
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.code, done.out, done.err) == (3, b"out\n", b"err\n")


def test_only_the_environment_that_was_given_is_seen(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    done = python("import os; print(sorted(os.environ))")
    assert b"SECRET_OF_THE_SERVER" not in done.out


def test_megabytes_of_input_and_output_pass_without_a_deadlock():
    data = os.urandom(3_000_000)
    done = python("import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d[::-1])", input=data)
    assert done.out == data[::-1]


def test_a_program_that_does_not_read_its_input_is_fine():
    assert python("pass", input=b"x" * 3_000_000).code == 0


def test_a_missing_program_says_what_to_install():
    with pytest.raises(Invalid) as caught:
        run(["no-such-program-at-all"], cwd="/", env=ENV, timeout=5)
    assert caught.value.code == "process.missing_program"
    assert "Install no-such-program-at-all" in caught.value.hint


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path):
    with pytest.raises(Invalid, match="folder"):
        run(["true"], cwd=tmp_path / "gone", env=ENV, timeout=5)


def test_time_out_kills_the_grandchildren_too(tmp_path):
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib;"
        f"p = subprocess.Popen(['sleep', '60']); pathlib.Path({str(note)!r}).write_text(str(p.pid)); time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(Temporary) as caught:
        python(code, timeout=1.5)
    assert caught.value.code == "process.timed_out"
    assert time.monotonic() - started < 10
    wait_until_gone(int(note.read_text()))


def test_a_grandchild_that_is_left_in_the_group_ends_with_the_call():
    done = python(
        "import subprocess; p = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(p.pid)"
    )
    wait_until_gone(int(done.out))


def test_endless_output_is_cut_off_while_it_runs():
    with pytest.raises(Permanent) as caught:
        python("while True: print('x' * 10000)", max_output=1_000_000)
    assert caught.value.code == "process.output_limit"


def test_limits_hold(tmp_path):
    code = f"open({str(tmp_path / 'big')!r}, 'wb').write(b'x' * 5_000_000)"
    assert python(code, limits=Limits(file_size=1_000_000)).code != 0
    assert (tmp_path / "big").stat().st_size <= 1_000_000
    assert python("x = bytearray(2_000_000_000)", limits=Limits(memory=64 << 20)).code != 0


def test_arguments_are_never_seen_by_a_shell(tmp_path):
    run(["echo", f"; touch {tmp_path}/x", "$(id)", "`id`"], cwd=tmp_path, env=ENV, timeout=5)
    assert list(tmp_path.iterdir()) == []


def wait_until_gone(pid):
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} still runs: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}")
