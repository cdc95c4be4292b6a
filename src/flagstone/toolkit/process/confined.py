"""Shuts itself in, then starts another program: ``python -I -S confined.py SETUP PROGRAM ARGUMENTS``, by ``unshare``.

Standard library only, and nothing of this package: it is started as a file, inside new namespaces in which it may
mount.
The system becomes read-only, hidden folders are empty, only one folder and a new /tmp can be written.
"""

# ruff: noqa: PTH103, PTH112, PTH118, PTH120, PTH123
from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RECURSIVE = 0x8000
_MS_PRIVATE_ALL = (1 << 18) | 16384
_MS_NOSUID_NODEV = 2 | 4
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_PR_CAPBSET_DROP, _PR_NO_NEW_PRIVS, _PR_PDEATHSIG = 24, 38, 1
_LAST_CAPABILITY = 63


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _mount(kind: str, target: str, flags: int = 0, data: str = "") -> None:
    done = _libc.mount(kind.encode(), target.encode(), kind.encode(), flags, data.encode())
    _checked(done, f"mount {kind} on {target}")


def shut_in(setup: dict[str, Any]) -> None:
    """Build the small world of the program. Raises OSError for what this system does not allow."""
    workspace = setup["workspace"]
    _checked(_libc.mount(None, b"/", None, _MS_PRIVATE_ALL, None), "make mounts private")
    kept = _checked(_libc.syscall(_OPEN_TREE, _AT_FDCWD, workspace.encode(), 1 | os.O_CLOEXEC), "keep the workspace")
    resolver = _resolver() if setup["network"] else None
    read_only = _MountAttr(1, 0, 0, 0)
    size = ctypes.sizeof(read_only)
    done = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _RECURSIVE, ctypes.byref(read_only), size)
    _checked(done, "make the system read-only")
    for folder in setup["hidden"]:
        if os.path.isdir(folder):
            _mount("tmpfs", folder, _MS_NOSUID_NODEV, "size=1m,mode=755")
    _mount("tmpfs", "/tmp", _MS_NOSUID_NODEV, f"size={setup['scratch']},mode=1777")  # noqa: S108  a new one
    try:
        _mount("proc", "/proc", _MS_NOSUID_NODEV)
    except OSError:
        _mount("tmpfs", "/proc", _MS_NOSUID_NODEV, "size=4k")
    if resolver is not None:
        os.makedirs(os.path.dirname(resolver[0]), exist_ok=True)
        with open(resolver[0], "wb") as file:
            file.write(resolver[1])
    os.makedirs(workspace, exist_ok=True)
    moved = _libc.syscall(_MOVE_MOUNT, kept, b"", _AT_FDCWD, workspace.encode(), 4)
    _checked(moved, "put the workspace back")
    os.chdir(os.path.join(workspace, setup["folder"]))
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_NO_NEW_PRIVS, 1, 0, 0, 0)


def _resolver() -> tuple[str, bytes] | None:
    """The file with the name servers, when it lies where nothing will be left of it."""
    path = os.path.realpath("/etc/resolv.conf")
    if not path.startswith("/run/"):
        return None
    try:
        with open(path, "rb") as file:
            return path, file.read(65536)
    except OSError:
        return None


def apply_limits(limits: dict[str, int]) -> None:
    """Set the resource limits; never more than the system allows."""
    kinds = {
        "memory": resource.RLIMIT_DATA,
        "file_size": resource.RLIMIT_FSIZE,
        "processes": resource.RLIMIT_NPROC,
        "open_files": resource.RLIMIT_NOFILE,
        "cpu_seconds": resource.RLIMIT_CPU,
    }
    for name, kind in kinds.items():
        if name in limits:
            _, hard = resource.getrlimit(kind)
            value = limits[name] if hard == resource.RLIM_INFINITY else min(limits[name], hard)
            resource.setrlimit(kind, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What watches it must get its turn. The kernel does not count the processes of root, so root's yield to all others.
    if limits.get("yield") and hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(10)


def _start(setup: dict[str, Any], argv: list[str]) -> int:
    """Be the first process of the namespace: when this ends, everything in it is killed."""
    child = os.fork()
    if child == 0:
        try:
            apply_limits(setup["limits"])
            os.execv(argv[0], argv)  # noqa: S606  there is no shell
        except OSError as error:
            os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Shut in as the first argument says, and run the rest."""
    setup = json.loads(sys.argv[1])
    try:
        shut_in(setup)
    except OSError as error:
        os.write(2, f"flagstone: cannot be isolated: {error.strerror or error}\n".encode())
        os._exit(125)
    code = _start(setup, sys.argv[2:])
    # The first process of a namespace cannot be ended by its own signal: shells' convention instead.
    os._exit(code if code >= 0 else 128 - code if -code < signal.NSIG else 255)


if __name__ == "__main__":
    main()
