"""Applies limits to itself, then becomes another program. Run as ``python -I -S launcher.py LIMITS PROGRAM ARGUMENTS``.

Standard library only, and nothing of this package: it is started as a file.
"""

# ruff: noqa: PTH116, PTH208
from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that made it ends; only Linux can."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # only here: it costs more than the rest of this file

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def apply_limits(limits: dict[str, Any]) -> None:
    """Set the resource limits of this process; never more than the system allows it."""
    memory = limits.get("memory")
    if memory and sys.platform.startswith("linux"):
        # A backstop. Not the address space: every thread reserves far more of it than it uses.
        _limit(resource.RLIMIT_DATA, 2 * int(memory) + (256 << 20))
    _limit(resource.RLIMIT_NOFILE, int(limits.get("open_files") or 1024))
    if limits.get("file_size"):
        _limit(resource.RLIMIT_FSIZE, int(limits["file_size"]))
    if limits.get("processes"):
        _limit(resource.RLIMIT_NPROC, int(limits["processes"]) + _processes_of_user())
    _limit(resource.RLIMIT_CORE, 0)
    cpu = limits.get("cpu")
    if cpu:
        _limit_cpu(float(cpu))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _limit_cpu(cores: float) -> None:
    # Less than a core: run after others who need the processor. Whole cores: stay on that many.
    os.nice(10 if cores < 1 else 5)
    if hasattr(os, "sched_setaffinity") and cores >= 1:
        usable = sorted(os.sched_getaffinity(0))
        count = max(1, round(cores))
        if count < len(usable):
            start = os.getpid() % len(usable)
            os.sched_setaffinity(0, {usable[(start + number) % len(usable)] for number in range(count)})


def _processes_of_user() -> int:
    """The kernel counts all tasks of a user against the limit, so those that exist already come on top."""
    count = 0
    try:
        names = os.listdir("/proc")
    except OSError:
        return 256
    for name in names:
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def main() -> None:
    """Apply the limits of the first argument and become the rest."""
    apply_limits(json.loads(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  there is no shell


if __name__ == "__main__":
    main()
