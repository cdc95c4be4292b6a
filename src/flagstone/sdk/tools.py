"""What an action may need beside its context, handed over when it is made: outgoing requests, programs, YAML.

    @hookimpl
    def flagstone_register_actions(deps):
        tools = deps.get(ActionTools)
        return [Notify(tools.http(("hooks.acme.example",), setting="acme.hosts"))]

A plugin opens no connection and starts no process by itself: what it gets here knows the allow-lists and the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flagstone.sdk.files import Files


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of any status. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class HttpClient(Protocol):
    """Sends requests to the hosts it was made for, and to no other."""

    def check(self, url: str) -> None:
        """Whether a request would be sent there at all, as far as the address tells. Raises Denied, Invalid."""

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
        """``timeout`` in seconds for everything together; ``max_bytes`` bounds the answer.

        With the ``etag`` of an earlier answer the server may say 304: nothing has changed.

        Redirects are followed for GET and HEAD, each hop checked. Raises Denied (``http.not_allowed``), Unavailable
        (``http.unreachable``, ``http.timeout``), Invalid (``http.bad_url``, ``http.too_large``).
        """


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """What a program may use. Sizes in bytes; ``processes`` counts all it has at once."""

    seconds: float = 300
    memory: int = 1 << 30
    output: int = 10_000_000
    processes: int = 64
    file_size: int = 200_000_000
    network: bool = False


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a program ended; ``code`` is negative when a signal ended it. ``tail`` is the end of what it wrote."""

    code: int
    tail: str
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Isolation:
    """Whether programs can be shut in on this machine; ``missing`` says what cannot be done, and why."""

    complete: bool
    missing: str = ""


class ActionTools(Protocol):
    """See the module."""

    def http(self, hosts: Sequence[str], *, setting: str) -> HttpClient:
        """A client for these hosts (``host``, ``host:port``); ``setting`` is named when another one is asked for."""

    def read_yaml(self, text: str, *, name: str) -> list[Any]:
        """The documents of a YAML 1.2 text as plain JSON data. Raises Invalid with file and line.

        Bounded: nesting, size, aliases; no tags.
        """

    def write_yaml(self, value: Any) -> str:
        """Plain JSON data as one document in block style."""

    def isolation(self) -> Isolation:
        """What this machine can do to shut programs in."""

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
        """Run a program below ``files`` to its end; ``on_line(text, "out" or "err")`` gets what it writes by lines.

        Its environment is ``env`` and a PATH. ``isolated``: it sees neither the network nor the server's own folders,
        and can write nowhere but below ``files`` and into a /tmp of its own. Raises Permanent naming the limit that
        was passed, Invalid when the program is missing, Unavailable when it cannot be isolated here.
        """

    def compute(self, script: str, data: bytes, *, seconds: float, memory: int, output: int) -> bytes:
        """Give ``data`` to a Python file of the plugin in a process of its own, and return what it writes.

        For pure computations that a person's input could make endless. Raises Permanent naming the limit that was
        passed, Invalid with the last line of its error output when it fails.
        """
