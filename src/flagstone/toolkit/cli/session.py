"""The options that every command which speaks to a server has: ``--url``, ``--token``, ``--json``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from flagstone.toolkit.cli.client import Client
from flagstone.toolkit.cli.output import Output, guard
from flagstone.toolkit.cli.profile import Profile

Url = Annotated[
    str | None, typer.Option("--url", envvar="FLAGSTONE_URL", help="Server to speak to.", show_default=False)
]
Token = Annotated[str | None, typer.Option("--token", envvar="FLAGSTONE_TOKEN", help="API token.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@dataclass
class Session:
    """A client and an output."""

    client: Client
    out: Output
    profile: Profile


class _Transport:
    """Lets a test put an in-process server behind every command."""

    value: httpx.BaseTransport | None = None


def home() -> Path:
    """Folder of the remembered credentials."""
    return Path(typer.get_app_dir("flagstone"))


@contextmanager
def session(url: str | None, token: str | None, as_json: bool) -> Iterator[Session]:
    """The session of one command; errors end the process with their exit code."""
    with guard(as_json=as_json):
        profile = Profile.load(home())
        chosen = (url or profile.current).rstrip("/")
        client = Client(chosen, token or profile.tokens.get(chosen), transport=_Transport.value)
        yield Session(client, Output(as_json=as_json), profile)
