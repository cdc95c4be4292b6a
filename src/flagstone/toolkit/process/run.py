"""Run a program to its end: input in, output out, bounded in time and size."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flagstone.kernel.errors import Invalid, Permanent, Temporary
from flagstone.toolkit.process.limits import LimitsLike, as_message

PYTHON = sys.executable
"""The interpreter that this process runs in."""

BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
"""PATH of children whose caller does not say otherwise."""

_LAUNCHER = Path(__file__).with_name("launcher.py")
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended. ``code`` is negative when a signal ended it."""

    code: int
    out: bytes
    err: bytes

    @property
    def err_text(self) -> str:
        """What it wrote to its error stream, for a message to people."""
        return self.err.decode("utf-8", "replace").strip()


def find_program(name: str, path: str | None = None) -> str:
    """The absolute path of a program.

    Raises Invalid (``process.missing_program``), saying what to install.
    """
    found = shutil.which(name, path=path) if path else None
    found = found or shutil.which(name)
    if found is None:
        raise Invalid(
            "process.missing_program",
            f"The program {name!r} is not installed, or not on the PATH.",
            hint=f"Install {name} with the system's package manager (`apt install {name}`, `brew install {name}`).",
        )
    return found


def run(
    argv: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    timeout: float,
    input: bytes | None = None,  # noqa: A002  the word that everybody knows from subprocess
    max_output: int = 10_000_000,
    limits: LimitsLike | None = None,
) -> Completed:
    """Run ``argv`` in a session of its own with exactly the environment given.

    ``timeout`` in seconds; ``max_output`` bounds both streams together, in bytes. Raises Invalid
    (``process.missing_program``), Temporary (``process.timed_out``) or Permanent (``process.output_limit``); in the
    last two cases the whole process group was killed.
    """
    command = [find_program(argv[0], env.get("PATH")), *argv[1:]]
    if limits is not None:
        command = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(as_message(limits)), *command]
    if not Path(cwd).is_dir():
        raise Invalid("process.missing_folder", f"The folder {cwd} to run {argv[0]} in does not exist.")
    # Popen without preexec_fn is safe with threads; setsid makes a group that can be killed whole.
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with process:
            try:
                out, err = _exchange(process, argv[0], input, time.monotonic() + timeout, timeout, max_output)
            except BaseException:
                kill_group(process.pid)
                raise
    finally:
        # What it left running in its group would otherwise outlive the call.
        kill_group(process.pid)
    return Completed(process.returncode, out, err)


def kill_group(pid: int) -> None:
    """SIGKILL to a process group; none left is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _exchange(
    process: subprocess.Popen[bytes], name: str, data: bytes | None, deadline: float, timeout: float, cap: int
) -> tuple[bytes, bytes]:
    """Feed and drain the pipes until both outputs are closed and the program has ended."""
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdout is not None
    assert stderr is not None
    collected: dict[IO[bytes], bytearray] = {stdout: bytearray(), stderr: bytearray()}
    total, left = 0, memoryview(data or b"")
    with selectors.DefaultSelector() as selector:
        for stream in collected:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        if stdin is not None:
            os.set_blocking(stdin.fileno(), False)
            selector.register(stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, _ in selector.select(_left(deadline, name, timeout)):
                if key.fileobj is stdin and stdin is not None:
                    left = _feed(stdin, left)
                    if not left:
                        selector.unregister(stdin)
                        with contextlib.suppress(BrokenPipeError):
                            stdin.close()
                    continue
                stream = stdout if key.fileobj is stdout else stderr
                chunk = os.read(stream.fileno(), _CHUNK)
                if not chunk:
                    selector.unregister(stream)
                    continue
                collected[stream] += chunk
                total += len(chunk)
                if total > cap:
                    raise Permanent("process.output_limit", f"{name} wrote more than {cap} bytes and was ended.")
    try:
        process.wait(_left(deadline, name, timeout))
    except subprocess.TimeoutExpired:
        _left(0, name, timeout)
    return bytes(collected[stdout]), bytes(collected[stderr])


def _feed(stdin: IO[bytes], left: memoryview) -> memoryview:
    try:
        return left[os.write(stdin.fileno(), left[:_CHUNK]) :] if left else left
    except BrokenPipeError:
        return memoryview(b"")  # it ended without reading everything; its exit code tells the rest


def _left(deadline: float, name: str, timeout: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Temporary("process.timed_out", f"{name} did not end within {timeout:g} seconds and was ended.")
    return left
