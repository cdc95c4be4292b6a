"""Long-lived child processes of a server, none of which outlives it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

import psutil

from flagstone.kernel.errors import Conflict, Invalid, Temporary
from flagstone.kernel.ids import new_id
from flagstone.toolkit.process.limits import LimitsLike, as_message
from flagstone.toolkit.process.run import BASE_PATH, find_program

log = logging.getLogger("flagstone.process")

_KEEPER = Path(__file__).with_name("keeper.py")
_START_SECONDS = 15.0
_LABEL = "FLAGSTONE_PROCESS_LABEL"
_HOST = "FLAGSTONE_PROCESS_HOST"
_ID = "FLAGSTONE_PROCESS_ID"


class LocalProcess:
    """A child process in its own session. ``reason`` says why its host killed it, if it did."""

    def __init__(self, host: LocalProcessHost, mark: str, pid: int, created: float) -> None:
        self.mark = mark
        self.pid = pid
        self.created = created
        self.reason = ""
        self._host = host
        self._ended = threading.Event()
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code (negative: the signal that ended it), or None while it runs."""
        return self._code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end; None when the time ran out."""
        self._ended.wait(timeout)
        return self._code

    def stop(self, grace: float = 10.0) -> int | None:
        """SIGTERM to the group, after ``grace`` seconds SIGKILL. Returns the exit code."""
        if self._code is None:
            self._host.send_signal(self.pid, signal.SIGTERM)
            if self.wait(grace) is None:
                self._host.send_signal(self.pid, signal.SIGKILL)
                self.wait(5.0)
        return self._code

    def ended(self, code: int, reason: str) -> None:
        """Called by the host when it has ended."""
        self.reason = reason
        self._code = code
        self._ended.set()


class LocalProcessHost:
    """Starts processes through a keeper process (see ``keeper.py``). ``folder`` holds a small file per running process.

    Thread-safe. One server at a time may use a folder. On Linux the limits hold for the whole of a child's processes
    and nothing survives the death of the server; elsewhere limits are those of single processes, and :meth:`reap` ends
    what a killed server left.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._lock = threading.Lock()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._waiting: dict[str, Future[LocalProcess]] = {}
        self._processes: dict[int, LocalProcess] = {}
        self._claim: IO[bytes] | None = None

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        limits: LimitsLike,
        label: str,
    ) -> LocalProcess:
        """Start a process whose output is appended to ``log``, which is kept to its last 10 MB.

        Raises Invalid (``process.missing_program``, ``process.not_started``), Temporary (``process.keeper_gone``) or
        Conflict (``process.folder_in_use``).
        """
        program = find_program(argv[0], env.get("PATH", BASE_PATH))
        log.parent.mkdir(parents=True, exist_ok=True)
        request_id = new_id()
        marks = {_LABEL: label, _HOST: str(self._folder), _ID: request_id}
        request = {
            "do": "start",
            "id": request_id,
            "argv": [program, *argv[1:]],
            "cwd": str(cwd),
            "env": {**env, **marks},
            "log": str(log),
            "limits": as_message(limits),
        }
        answer: Future[LocalProcess] = Future()
        with self._lock:
            channel = self._connect()
            self._waiting[request_id] = answer
            self._tell(channel, request)
        try:
            process = answer.result(_START_SECONDS)
        except TimeoutError:
            raise Temporary("process.keeper_gone", f"{argv[0]} was not started in time.") from None
        finally:
            self._waiting.pop(request_id, None)
        if process.poll() is None:
            self._write_note(process, label)
        return process

    def send_signal(self, pid: int, number: int) -> None:
        """Send a signal to a running child and its group; one that has ended is left alone."""
        with self._lock:
            if self._channel is not None and pid in self._processes:
                self._tell(self._channel, {"do": "signal", "pid": pid, "signal": int(number)})

    def reap(self, label_prefix: str) -> list[int]:
        """End processes that an earlier, killed server with the same folder left behind; returns their pids.

        They are recognised by label, folder and time of creation, so that a number used again is not mistaken for one.
        """
        with self._lock:
            if not self._claimed():
                log.warning("another process uses %s: what it started is left alone", self._folder)
                return []
            ours = set(self._processes)
        found: list[int] = []
        for _ in range(10):
            victims = [process for process in self._leftovers(label_prefix) if process.pid not in ours]
            if not victims:
                break
            found += _kill(victims)
        for note in self._notes(label_prefix):
            if note["pid"] not in ours:
                Path(note["file"]).unlink(missing_ok=True)
        return sorted(set(found))

    def close(self) -> None:
        """End every process and the keeper."""
        with self._lock:
            keeper, channel, claim = self._keeper, self._channel, self._claim
            self._keeper = self._channel = self._claim = None
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_WR)
        if keeper is not None:
            try:
                keeper.wait(15)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()
        if claim is not None:
            claim.close()

    def _claimed(self) -> bool:
        """Whether the folder is ours; the claim ends with this process, however it ends. Called with the lock held."""
        if self._claim is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            claim = (self._folder / "in-use").open("ab")
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                claim.close()
                return False
            self._claim = claim
        return True

    def _connect(self) -> socket.socket:
        """The channel to the keeper, which is started when there is none. Called with the lock held."""
        if self._channel is not None and self._keeper is not None and self._keeper.poll() is None:
            return self._channel
        if not self._claimed():
            raise Conflict(
                "process.folder_in_use",
                f"Another Flagstone process runs workloads from {self._folder}.",
                hint="Stop it, or give this one a data folder of its own.",
            )
        ours, theirs = socket.socketpair()
        with theirs:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"PATH": BASE_PATH, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel = ours
        threading.Thread(target=self._listen, args=(ours, self._keeper), name="process-host", daemon=True).start()
        return ours

    def _tell(self, channel: socket.socket, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the listener sees the end of the channel, too, and reports it
            channel.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self, channel: socket.socket, keeper: subprocess.Popen[bytes]) -> None:
        with channel, channel.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._heard(json.loads(line))
        keeper.wait()
        with self._lock:
            if self._channel is channel:
                self._channel = self._keeper = None
            lost, waiting = list(self._processes.values()), list(self._waiting.values())
            self._processes.clear()
        marks = {process.mark for process in lost}
        _kill([found for found, variables in _with_environment() if variables.get(_ID) in marks])
        for process in lost:
            self._finish(process, -signal.SIGKILL, "the server ended it")
        for answer in waiting:
            if not answer.done():
                answer.set_exception(
                    Temporary("process.keeper_gone", "The process that starts workloads has ended.", retry_after=1)
                )

    def _heard(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            with self._lock:
                process = self._processes.pop(message["ended"], None)
            if process is not None:
                self._finish(process, message["code"], message["reason"])
            return
        answer = self._waiting.get(message["id"])
        if "error" in message:
            if answer is not None:
                hint = "Check that the program, its folder and its log file are there and may be used."
                answer.set_exception(
                    Invalid("process.not_started", f"It could not be started: {message['error']}.", hint=hint)
                )
            return
        process = LocalProcess(self, message["id"], message["pid"], _created(message["pid"]))
        with self._lock:
            self._processes[process.pid] = process
        if answer is None:
            self.send_signal(process.pid, signal.SIGKILL)  # whoever asked gave up waiting
        else:
            answer.set_result(process)

    def _finish(self, process: LocalProcess, code: int, reason: str) -> None:
        self._note(process).unlink(missing_ok=True)
        process.ended(code, reason)
        # It may have ended while its note was being written.
        self._note(process).unlink(missing_ok=True)

    def _note(self, process: LocalProcess) -> Path:
        return self._folder / f"{process.pid}-{int(process.created * 1000)}.json"

    def _write_note(self, process: LocalProcess, label: str) -> None:
        text = json.dumps({"pid": process.pid, "created": process.created, "label": label})
        self._note(process).write_text(text, encoding="utf-8")
        if process.poll() is not None:
            self._note(process).unlink(missing_ok=True)

    def _notes(self, label_prefix: str) -> list[dict[str, Any]]:
        found = []
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                note = json.loads(file.read_text(encoding="utf-8"))
                if str(note["label"]).startswith(label_prefix):
                    found.append({**note, "file": str(file)})
        return found

    def _leftovers(self, label_prefix: str) -> list[psutil.Process]:
        noted = {note["pid"]: note["created"] for note in self._notes(label_prefix)}
        found = []
        for process, variables in _with_environment():
            ours = variables.get(_HOST) == str(self._folder) and variables.get(_LABEL, "").startswith(label_prefix)
            if ours or abs(process.create_time() - noted.get(process.pid, 0.0)) < 1.0:
                found.append(process)
        return found


def _with_environment() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Every other process that runs, with its environment as far as it may be read."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            variables: dict[str, str] = {}
            with contextlib.suppress(psutil.AccessDenied, OSError):
                variables = process.environ()
            yield process, variables


def _kill(processes: Sequence[psutil.Process]) -> list[int]:
    """SIGKILL, and wait until they are gone; returns their pids. psutil checks the time of creation before it kills."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=2)
    return [process.pid for process in processes]


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return time.time()  # it has ended already
