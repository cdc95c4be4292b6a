"""``flagstone worker``: a process that executes runs and serves nothing. As many as one likes, on PostgreSQL."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from pathlib import Path
from typing import Annotated

import typer

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli import guard

log = logging.getLogger("flagstone.worker")

Config = Annotated[
    Path | None, typer.Option("--config", envvar="FLAGSTONE_CONFIG", help="Settings file (default: ./flagstone.toml).")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder, the same as that of the server.", show_default="./data")
]


def register(app: typer.Typer) -> None:
    """Add ``worker``."""
    app.command("worker")(worker)


def worker(
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name among the workers, unique.", show_default="made of host and process"),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, help="Runs at the same time.", show_default="the setting")
    ] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Execute runs, and serve nothing: beside a server, on PostgreSQL."""
    with guard():
        _work(name or _own_name(), concurrency, config, data)


def _own_name() -> str:
    host = re.sub(r"[^a-z0-9-]", "-", socket.gethostname().lower()).strip("-")[:40]
    return f"worker-{host or 'host'}-{os.getpid()}"


def _work(name: str, concurrency: int | None, config: Path | None, data: Path | None) -> None:
    # The whole platform is imported; every other command would be slower for it.
    from flagstone.app.build import build
    from flagstone.app.rooms import load_settings
    from flagstone.toolkit.db import PlatformDatabase
    from flagstone.toolkit.settings.server import ServerSettings
    from flagstone.toolkit.telemetry.logs import configure_logging

    overrides: dict[str, object] = {"runs.executor_id": name, "runs.serves": False}
    if data is not None:
        overrides["server.data_dir"] = str(data)
    if concurrency is not None:
        overrides["runs.concurrency"] = concurrency
    settings = load_settings(config, overrides=overrides)
    server = settings.section("server", ServerSettings)
    configure_logging(form=server.log_format, level=server.log_level)
    app = build(settings, "platform")
    if app.deps.get(PlatformDatabase).is_sqlite:
        app.stop()
        raise Invalid(
            "worker.needs_postgresql",
            "Workers of their own need PostgreSQL; with SQLite the server executes all runs itself.",
            hint="Set database.url to a PostgreSQL database, for the server and for every worker.",
        )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        app.migrate()
        app.claim()
        app.start(worker=True)
        log.info("the worker %s executes runs", name)
        stopped.wait()
        log.info("the worker %s stops: steps at work may end, others go on with the rest", name)
    finally:
        app.stop()
