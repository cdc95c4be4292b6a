"""The process table as ``/proc`` shows it; empty where there is none. Standard library only: the keeper imports it."""

# ruff: noqa: PTH115, PTH123, PTH208
from __future__ import annotations

import os

_PAGE = os.sysconf("SC_PAGE_SIZE")


def pids() -> list[int]:
    """All process ids."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def environment(pid: int) -> list[bytes]:
    """The environment a process was started with; empty when it may not be read, or the process is ending."""
    return _read(f"/proc/{pid}/environ").split(b"\0")


def children_of(parent: int) -> list[int]:
    """Direct children."""
    return [pid for pid in pids() if (fields := _stat(pid)) and int(fields[1]) == parent]


def namespace_of(pid: int) -> str:
    """Name of the namespace of process ids that a process is in; empty when it has ended or may not be seen."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def usage_of_namespace(namespace: str, enough: int) -> tuple[int, int]:
    """(number of processes, bytes of memory of their own) in a namespace; counts no further than ``enough``."""
    count = total = 0
    for pid in reversed(pids()):
        if namespace_of(pid) == namespace:
            memory = _read(f"/proc/{pid}/statm").split()
            count += 1
            total += (int(memory[1]) - int(memory[2])) * _PAGE if len(memory) > 2 else 0
            if count >= enough:
                break
    return count, total


def usage_by_session() -> dict[int, tuple[int, int]]:
    """Session id to (number of processes, bytes of memory of their own)."""
    found: dict[int, tuple[int, int]] = {}
    for pid in pids():
        fields = _stat(pid)
        if not fields or fields[0] == b"Z":
            continue
        memory = _read(f"/proc/{pid}/statm").split()
        # Resident less shared: pages of libraries are not counted once for each process.
        own = (int(memory[1]) - int(memory[2])) * _PAGE if len(memory) > 2 else 0
        count, total = found.get(int(fields[3]), (0, 0))
        found[int(fields[3])] = (count + 1, total + own)
    return found


def _stat(pid: int) -> list[bytes]:
    """Fields of ``stat`` from the state on: state, parent, group, session. The name before them may hold anything."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
