"""Processes beside the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from flagstone.toolkit.workers import WorkerPool


def number(add):
    return os.getpid(), add + 1


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_work_is_done_in_another_process_which_ends_when_it_is_idle():
    pool = WorkerPool(size=1, idle_seconds=0.1)
    pid, result = pool.submit(number, 1).result(30)
    assert result == 2
    assert pid != os.getpid()
    until = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
    assert pool.submit(number, 2).result(30)[1] == 3
    pool.close()
    with pytest.raises(RuntimeError):
        pool.submit(number, 1)


def test_a_worker_that_is_killed_fails_its_work_and_the_next_work_gets_a_new_one():
    pool = WorkerPool(size=1)
    with pytest.raises(Exception, match="terminated"):
        pool.submit(killed).result(30)
    assert pool.submit(number, 1).result(30)[1] == 2
    pool.close()


def test_workers_do_not_outlive_a_server_that_was_killed():
    program = """
        import os, time
        from flagstone.toolkit.workers import WorkerPool
        if __name__ == "__main__":
            pool = WorkerPool(size=1)
            print(pool.submit(os.getpid).result(), flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    assert psutil.pid_exists(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
