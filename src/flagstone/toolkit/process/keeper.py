"""The keeper: one small process that starts, watches and ends all long-lived children of a server.

Run as ``python -I -S keeper.py FD``; it talks JSON lines over the socket FD. One thread, and the standard library only
(without pathlib, to start fast). It exists because of what a server with threads cannot do itself: its end, however
sudden, closes the socket, and the keeper then kills every child with all its descendants; should the keeper be killed,
the kernel kills its children.

    {"do": "start", "id", "argv", "cwd", "env", "log", "limits"} -> {"id", "pid"} or {"id", "error"}
    {"do": "signal", "pid", "signal"}
    {"do": "end"}                            kill everything and leave
    <- {"ended": pid, "code", "reason"}      reason: why the keeper killed it, or ""
"""

# ruff: noqa: PTH100, PTH120
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flagstone.toolkit.process import launcher, proctable, rotation
else:
    # -I leaves this folder off the path, and the package's own __init__ needs libraries that -S hides.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import launcher
    import proctable
    import rotation

_PR_SET_CHILD_SUBREAPER = 36
_WATCH_SECONDS = 1.0
_WATCH_CLOSELY_SECONDS = 0.1
_ID = "FLAGSTONE_PROCESS_ID"


class Child:
    """A process that was started here and not yet reaped."""

    def __init__(self, pid: int, request: dict[str, Any]) -> None:
        self.pid = pid
        self.mark = f"{_ID}={request['env'][_ID]}".encode()
        self.log = request["log"]
        self.memory = request["limits"].get("memory")
        self.processes = request["limits"].get("processes")
        self.reason = ""


class Keeper:
    """Reads requests, reaps children, watches limits."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: dict[int, Child] = {}
        self._buffer = b""
        self._next_watch = 0.0
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Work until the server has gone or says so; nothing that was started is alive after that."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # The server decides when its children end, not a Ctrl-C or a stop of the whole service.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            alive = True
            while alive:
                for key, _ in selector.select(self._until_watch()):
                    if key.fileobj is self._channel:
                        alive = self._receive()
                    else:
                        with contextlib.suppress(BlockingIOError):
                            os.read(self._wake_read, 4096)
                self._reap()
                self._watch()
        self._end_all()

    def _until_watch(self) -> float | None:
        return max(0.0, self._next_watch - time.monotonic()) if self._children else None

    def _receive(self) -> bool:
        try:
            chunk = self._channel.recv(1 << 16)
        except ConnectionError:
            return False
        if not chunk:
            return False
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["do"] == "end":
                return False
            if request["do"] == "start":
                self._send(self._start(request))
            elif request["pid"] in self._children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(request["pid"], request["signal"])
        return True

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            _become(request, write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            error = pipe.read()  # closed by a successful exec
        if error:
            os.waitpid(pid, 0)
            return {"id": request["id"], "error": error.decode("utf-8", "replace")}
        self._children[pid] = Child(pid, request)
        self._next_watch = 0.0
        return {"id": request["id"], "pid": pid}

    def _reap(self) -> None:
        """Report children that ended; end what they left behind; collect orphans that were handed to us."""
        while (ended := _next_ended()) is not None:
            pid, code = ended
            child = self._children.pop(pid, None)
            if child is not None:
                _kill_marked(child.mark)
                rotation.rotate(child.log)
                self._send({"ended": pid, "code": code, "reason": child.reason})

    def _watch(self) -> None:
        """Keep logs and the whole of each child's processes within bounds; the kernel's limits are for one process."""
        if not self._children or time.monotonic() < self._next_watch:
            return
        closely = any(child.processes for child in self._children.values())
        self._next_watch = time.monotonic() + (_WATCH_CLOSELY_SECONDS if closely else _WATCH_SECONDS)
        usage = proctable.usage_by_session() if any(c.memory or c.processes for c in self._children.values()) else {}
        for child in self._children.values():
            rotation.rotate(child.log)
            processes, memory = usage.get(child.pid, (0, 0))
            if child.memory and memory > child.memory:
                child.reason = f"it used {memory >> 20} MiB of memory; its limit is {int(child.memory) >> 20} MiB"
            elif child.processes and processes > child.processes:
                child.reason = f"it had {processes} processes; its limit is {child.processes}"
            else:
                continue
            _kill_group(child.pid)

    def _end_all(self) -> None:
        for child in self._children.values():
            _kill_group(child.pid)
            _kill_marked(child.mark)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for pid in proctable.children_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    time.sleep(0.01)
            except ChildProcessError:
                return


def _become(request: dict[str, Any], error: int) -> None:
    """In the new process: put on limits, session, folder, environment and log, then become the program."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        launcher.die_with_parent()
        os.chdir(request["cwd"])
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        launcher.apply_limits(request["limits"])
        os.execve(request["argv"][0], request["argv"], request["env"])  # noqa: S606  there is no shell
    except BaseException as fault:  # noqa: BLE001  nothing may return into the keeper's own code
        os.write(error, str(fault).encode()[:4000])
    os._exit(127)


def _next_ended() -> tuple[int, int] | None:
    """(pid, exit code) of a child that ended, whose group has been killed; None when there is none."""
    try:
        if hasattr(os, "waitid"):
            # Looked at before it is collected: its number stays taken, so that its group can be killed safely.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return None
            _kill_group(found.si_pid)
            pid, status = os.waitpid(found.si_pid, 0)
        else:  # macOS before Python 3.13
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return None
            _kill_group(pid)
    except ChildProcessError:
        return None
    return pid, os.waitstatus_to_exitcode(status)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_marked(mark: bytes) -> None:
    """Kill what left its group but kept its environment; again, until none is found, since they may fork meanwhile."""
    for _ in range(20):
        found = [pid for pid in proctable.pids() if pid != os.getpid() and mark in proctable.environment(pid)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Adopt orphans of our children, then serve."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Keeper(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    main()
