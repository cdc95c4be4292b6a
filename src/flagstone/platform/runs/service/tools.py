"""What actions are handed beside their context: outgoing requests, programs, YAML. See ``flagstone.sdk.tools``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flagstone.kernel.errors import Invalid, Permanent, Temporary
from flagstone.platform.runs.service.files import RootFiles
from flagstone.sdk import CommandEnd, CommandLimits, Files, HttpAnswer, HttpClient, Isolation
from flagstone.toolkit import process
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.yaml import dump_yaml, load_documents


class StepTools:
    """``hidden``: folders of the server that programs must not see. Sizes in bytes."""

    def __init__(self, *, hidden: Sequence[str] = (), workspace_bytes: int = 2_000_000_000) -> None:
        self._hidden = tuple(hidden)
        self._workspace_bytes = workspace_bytes

    def http(self, hosts: Sequence[str], *, setting: str) -> HttpClient:
        """A client for these hosts."""
        return _Client(Fetcher([AllowedHost.parse(host) for host in hosts], setting=setting))

    def read_yaml(self, text: str, *, name: str) -> list[Any]:
        """The documents as plain data."""
        return [document.value for document in load_documents(text, name=name)]

    def write_yaml(self, value: Any) -> str:
        """One document."""
        return dump_yaml(value)

    def isolation(self) -> Isolation:
        """Tried once in a process."""
        missing = process.isolation()
        return Isolation(not missing, missing)

    def run_command(
        self,
        argv: Sequence[str],
        files: Files,
        *,
        folder: str = "",
        env: Mapping[str, str],
        limits: CommandLimits,
        isolated: bool,
        on_line: Callable[[str, str], None],
        cancelled: Callable[[], bool],
    ) -> CommandEnd:
        """Run a program in the workspace."""
        if not isinstance(files, RootFiles):
            raise Invalid("runs.bad_source", "Programs run in the workspace of a run only.")
        root, below = files.folder(folder)
        sandbox = process.SandboxLimits(
            seconds=limits.seconds,
            memory=limits.memory,
            output=limits.output,
            processes=limits.processes,
            file_size=limits.file_size,
            folder_bytes=self._workspace_bytes,
            network=limits.network,
        )
        job = process.Job(tuple(argv), root, below, dict(env), sandbox, self._hidden, isolated)
        ended = process.run_job(job, on_line, cancelled)
        return CommandEnd(ended.code, ended.tail, ended.cancelled)

    def compute(self, script: str, data: bytes, *, seconds: float, memory: int, output: int) -> bytes:
        """Run a Python file over data in a process of its own."""
        limits = process.Limits(memory=memory, file_size=1 << 20, processes=None)
        with tempfile.TemporaryDirectory(prefix="flagstone-") as folder:
            env = {"PATH": process.BASE_PATH, "HOME": folder, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
            try:
                done = process.run(
                    [process.PYTHON, "-I", script],
                    cwd=folder,
                    env=env,
                    timeout=seconds,
                    input=data,
                    max_output=output,
                    limits=limits,
                )
            except Temporary as error:
                raise Permanent(
                    "process.time_limit", f"The computation took longer than {seconds:g} seconds."
                ) from error
        if done.code == 0:
            return done.out
        if done.code < 0 or b"MemoryError" in done.err:
            raise Permanent("process.memory_limit", f"The computation needed more than {memory:,} bytes of memory.")
        said = done.err_text.rpartition("\n")[2]
        raise Invalid("runs.computation_failed", said[:1000] or f"The computation ended with code {done.code}.")


class _Client:
    """:class:`flagstone.sdk.HttpClient` over the one fetcher."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def check(self, url: str) -> None:
        """Look at the address only."""
        self._fetcher.check(url)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 15,
        max_bytes: int = 10_000_000,
        etag: str | None = None,
    ) -> HttpAnswer:
        """Send one request."""
        found = self._fetcher.fetch(
            url, method=method, headers=headers, content=body, etag=etag, timeout=timeout, max_bytes=max_bytes
        )
        return HttpAnswer(found.status, found.headers, found.body, found.url)
