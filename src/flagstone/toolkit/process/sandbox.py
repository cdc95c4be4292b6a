"""Programs of strangers, run to their end: shut in as far as the system can, watched, and killed whole.

Linux with user namespaces: neither network nor the server's folders, the rest read-only, a process table of its own.
Elsewhere only the limits are left; :func:`isolation` says what is missing, and whoever calls decides.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flagstone.kernel.errors import Invalid, Permanent, Unavailable
from flagstone.toolkit.process.limits import Limits, as_message
from flagstone.toolkit.process.proctable import children_of, namespace_of, usage_by_session, usage_of_namespace
from flagstone.toolkit.process.run import BASE_PATH, find_program, kill_group

_CONFINED = Path(__file__).with_name("confined.py")
_LAUNCHER = Path(__file__).with_name("launcher.py")
_CHUNK = 1 << 16
_LOOK = 0.05
"""Seconds between looks at memory, processes and cancellation; the folder is looked at every tenth time."""
_LONGEST_LINE = 10_000
_TAIL = 10_000
_SCRATCH = 64 << 20


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Sizes in bytes. ``folder_bytes`` and ``folder_entries`` bound what lies in the folder at any time."""

    seconds: float
    memory: int
    output: int
    processes: int
    file_size: int
    folder_bytes: int = 2_000_000_000
    folder_entries: int = 20_000
    network: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """``code`` is negative when a signal ended it; ``tail`` is the end of its output."""

    code: int
    tail: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: ``root`` is the folder it may write, ``folder`` where in it it starts; ``hidden`` is not seen."""

    argv: Sequence[str]
    root: str
    folder: str
    env: Mapping[str, str]
    limits: SandboxLimits
    hidden: Sequence[str] = ()
    isolated: bool = True


def run_job(job: Job, on_line: Callable[[str, str], None], cancelled: Callable[[], bool]) -> Ended:
    """Run it. ``on_line(text, "out" or "err")`` gets its lines.

    Raises Invalid (``process.missing_program``, ``process.missing_folder``), Unavailable (``process.no_isolation``),
    Permanent (``process.time_limit``, ``process.output_limit``, ``process.memory_limit``, ``process.process_limit``,
    ``process.folder_limit``); then everything it started has been killed.
    """
    if not (Path(job.root) / job.folder).is_dir():
        raise Invalid("process.missing_folder", f"There is no folder {job.folder!r} to run {job.argv[0]} in.")
    if job.isolated and (missing := isolation()):
        raise Unavailable("process.no_isolation", f"{job.argv[0]} cannot be shut in on this machine: {missing}")
    with tempfile.TemporaryDirectory(prefix="flagstone-") as scratch:
        home = "/tmp" if job.isolated else scratch  # noqa: S108  in a sandbox it is a new one
        env = {"PATH": BASE_PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", **job.env}
        program = find_program(job.argv[0], env["PATH"])
        argv = _isolated(job, program) if job.isolated else _limited(job, program)
        process = subprocess.Popen(
            argv,
            cwd=str(Path(job.root) / job.folder),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            with process:
                try:
                    return _Watch(job, process, on_line, cancelled).follow()
                except BaseException:
                    kill_group(process.pid)
                    raise
        finally:
            kill_group(process.pid)


def _isolated(job: Job, program: str) -> list[str]:
    setup = {
        "workspace": job.root,
        "folder": job.folder,
        "hidden": _outermost([*job.hidden, "/run"]),
        "scratch": _SCRATCH,
        "network": job.limits.network,
        "limits": {
            "memory": 2 * job.limits.memory + (256 << 20),
            "file_size": job.limits.file_size,
            "open_files": 1024,
            # Effective unless the server is root; what watches it counts in any case.
            "processes": job.limits.processes + 8,
            "yield": int(os.getuid() == 0),
        },
    }
    network = [] if job.limits.network else ["--net"]
    return [
        *_unshare(),
        *network,
        "--",
        sys.executable,
        "-I",
        "-S",
        str(_CONFINED),
        json.dumps(setup),
        program,
        *job.argv[1:],
    ]


def _limited(job: Job, program: str) -> list[str]:
    limits = Limits(memory=job.limits.memory, file_size=job.limits.file_size, processes=job.limits.processes)
    return [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(as_message(limits)), program, *job.argv[1:]]


def _unshare() -> list[str]:
    spaces = ["--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    return [find_program("unshare", BASE_PATH), *spaces]


def _outermost(folders: Sequence[str]) -> list[str]:
    """Without those below another, and never the whole system."""
    found: list[str] = []
    for folder in sorted({os.path.realpath(folder) for folder in folders}):
        if folder not in ("/", "/usr", "/bin", "/lib", "/etc") and not any(
            folder.startswith(f"{outer}/") for outer in found
        ):
            found.append(folder)
    return found


@functools.cache
def isolation() -> str:
    """Empty when programs can be shut in here; else why not. Tried once, with a program that does nothing."""
    if not sys.platform.startswith("linux"):
        return "only Linux can do that."
    if shutil.which("unshare", path=BASE_PATH) is None:
        return "the program unshare is not installed (package util-linux)."
    with tempfile.TemporaryDirectory(prefix="flagstone-") as folder:
        limits = SandboxLimits(10, 1 << 28, 10_000, 10, 10_000)
        job = Job(("true",), os.path.realpath(folder), "", {}, limits)
        try:
            done = subprocess.run(
                _isolated(job, find_program("true", BASE_PATH)),
                env={"PATH": BASE_PATH},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"{error}."
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"the system does not allow it ({said[:200] or f'exit code {done.returncode}'})."


@dataclass
class _Watch:
    """Reads what a process writes and looks at what it uses, until it has ended."""

    job: Job
    process: subprocess.Popen[bytes]
    on_line: Callable[[str, str], None]
    cancelled: Callable[[], bool]
    total: int = 0
    looks: int = 0
    next_look: float = 0.0
    tail: str = ""
    space: str = ""
    parts: dict[str, bytes] = field(default_factory=lambda: {"out": b"", "err": b""})

    def follow(self) -> Ended:
        deadline = time.monotonic() + self.job.limits.seconds
        with selectors.DefaultSelector() as selector:
            for stream, word in ((self.process.stdout, "out"), (self.process.stderr, "err")):
                assert stream is not None
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, word)
            while selector.get_map() or self.process.poll() is None:
                if selector.get_map():
                    self._drain(selector)
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(_LOOK)
                if self.cancelled():
                    return Ended(-9, self.tail, cancelled=True)
                self._look(deadline)
        for word in self.parts:
            self._flush(word)
        self._check_folder()
        return Ended(self.process.returncode, self.tail, cancelled=False)

    def _drain(self, selector: selectors.DefaultSelector) -> None:
        for key, _ in selector.select(_LOOK):
            if not self._read(key.fd, key.data):
                selector.unregister(key.fileobj)

    def _read(self, descriptor: int, word: str) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        self.total += len(chunk)
        if self.total > self.job.limits.output:
            limit = self.job.limits.output
            raise Permanent("process.output_limit", f"{self.job.argv[0]} wrote more than {limit:,} bytes.")
        *lines, rest = (self.parts[word] + chunk).split(b"\n")
        self.parts[word] = rest
        for line in lines:
            self._tell(line, word)
        if len(rest) > _LONGEST_LINE:
            self._flush(word)
        return bool(chunk)

    def _flush(self, word: str) -> None:
        if self.parts[word]:
            self._tell(self.parts[word], word)
        self.parts[word] = b""

    def _tell(self, line: bytes, word: str) -> None:
        text = line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
        self.tail = f"{self.tail}{text}\n"[-_TAIL:]
        self.on_line(text, word)

    def _look(self, deadline: float) -> None:
        limits, name, now = self.job.limits, self.job.argv[0], time.monotonic()
        if now >= deadline:
            raise Permanent("process.time_limit", f"{name} took longer than {limits.seconds:g} seconds.")
        if now < self.next_look:
            return
        self.next_look = now + _LOOK
        self.looks += 1
        count, memory = self._usage()
        # Those that shut it in come on top: unshare and the first process of the namespace.
        if count > limits.processes + 2:
            raise Permanent("process.process_limit", f"{name} had more than {limits.processes} processes at once.")
        if memory > limits.memory:
            raise Permanent("process.memory_limit", f"{name} used more than {limits.memory:,} bytes of memory.")
        if self.looks % 10 == 0:
            self._check_folder()

    def _usage(self) -> tuple[int, int]:
        """Processes and bytes; by the namespace where there is one, which no process can leave."""
        if not self.job.isolated:
            return usage_by_session().get(self.process.pid, (0, 0))
        if not self.space:
            inner = [namespace_of(child) for child in children_of(self.process.pid)]
            self.space = next((space for space in inner if space not in ("", namespace_of(os.getpid()))), "")
        return usage_of_namespace(self.space, self.job.limits.processes + 3) if self.space else (0, 0)

    def _check_folder(self) -> None:
        limits, size = self.job.limits, 0
        for count, entry in enumerate(_everything(self.job.root), 1):
            with contextlib.suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_size
            if count > limits.folder_entries or size > limits.folder_bytes:
                many = f"{limits.folder_entries:,} files", f"{limits.folder_bytes:,} bytes"
                what = many[0] if count > limits.folder_entries else many[1]
                raise Permanent("process.folder_limit", f"{self.job.argv[0]} left more than {what} in its folder.")


def _everything(folder: str) -> Iterator[os.DirEntry[str]]:
    """Entries below a folder; links are not followed, and what vanishes meanwhile is left out."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
