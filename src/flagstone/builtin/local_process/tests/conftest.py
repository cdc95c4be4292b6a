"""An open runtime with short times."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.testing.suites.runtime_suite import Bench

OPTIONS = {
    "probe_interval": 0.2,
    "probe_timeout": 1,
    "health_timeout": 10,
    "stop_grace": 3,
    "backoff_first": 0.05,
    "backoff_most": 0.3,
    "job_timeout": 3,
}


@pytest.fixture
def make_bench(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**options):
            bench = Bench(LocalProcessRuntime, tmp_path, {**OPTIONS, **options})
            stack.callback(bench.close)
            return bench

        yield make


@pytest.fixture
def bench(make_bench):
    return make_bench()


def processes_of(folder):
    """Processes that were started from a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in process.environ().get(
                "FLAGSTONE_PROCESS_HOST", ""
            ):
                found.append(process.pid)
    return found
