"""The server process: ``flagstone up`` (both rooms, friendly) and ``flagstone serve`` (any rooms, for machines)."""

from __future__ import annotations

import errno
import gc
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console

from flagstone import __version__
from flagstone.app.build import Application, build
from flagstone.app.rooms import Rooms, load_settings
from flagstone.contracts.locations import guess_type
from flagstone.entrypoints.datafolder import DataFolder
from flagstone.entrypoints.example import example_folder, expect_triggers, make_triggers, match_administrator
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.toolkit.memory import few_heaps, give_back
from flagstone.toolkit.schedule import Every
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.telemetry.logs import configure_logging
from flagstone.toolkit.web.wire import JoiningProtocol

log = logging.getLogger("flagstone.server")

_TIDY_SECONDS = 10.0
"""How often memory that nobody uses any more goes back to the system."""
_GRACE = 5
"""Seconds that open requests get to finish when the server stops."""


@dataclass(frozen=True)
class StartOptions:
    """What the command line said."""

    config: Path | None = None
    data: Path | None = None
    port: int | None = None
    host: str | None = None
    example: bool | None = None
    """None: the example organisation is loaded into a new data folder and kept where it was loaded before."""
    locations: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    rooms: Rooms = "both"
    bootstrap_token_file: Path | None = None
    friendly: bool = False


class Progress:
    """Tells a person what happens while the server starts; silent for machines."""

    def __init__(self, *, friendly: bool) -> None:
        self._console = Console(stderr=True, highlight=False) if friendly else None
        self.began = time.perf_counter()

    def step(self, text: str) -> None:
        """One finished step."""
        if self._console:
            took = time.perf_counter() - self.began
            self._console.print(f"[green]✓[/] {text} [bright_black]{took:.1f} s[/]")

    def say(self, text: str = "") -> None:
        """A line for people."""
        if self._console:
            self._console.print(text, soft_wrap=True)


def run(options: StartOptions) -> None:
    """Start and serve until told to stop. Raises FlagstoneError for anything wrong at start."""
    few_heaps()
    progress = Progress(friendly=options.friendly)
    settings = load_settings(options.config, overrides=_overrides(options))
    server = settings.section("server", ServerSettings)
    configure_logging(form=server.log_format, level=server.log_level)
    if options.friendly and server.log_format == "text" and server.log_level == "info":
        # Who watches the terminal wants to see what is wrong, and what they did; not every file that was read.
        logging.getLogger("flagstone").setLevel(logging.WARNING)
    folder = DataFolder(Path(server.data_dir).expanduser().resolve())
    listener = _listen(server.host, server.port)
    folder.lock()
    port = listener.getsockname()[1]
    overrides = _overrides(options) | {"server.port": port}
    if options.rooms != "platform":
        overrides |= _locations(options, folder)
    settings = load_settings(options.config, overrides=overrides)
    app = build(settings, options.rooms)
    progress.step(f"Flagstone {__version__} with {_rooms(options.rooms)}, data in {folder.path}")
    if app.migrate():
        progress.step("Databases are up to date")
    app.claim()
    _serve(app, listener, lambda: _welcome(app, options, folder, progress))


def _rooms(rooms: Rooms) -> str:
    return "portal and platform" if rooms == "both" else f"the {rooms} alone"


def _overrides(options: StartOptions) -> dict[str, Any]:
    given = {"server.data_dir": options.data, "server.port": options.port, "server.host": options.host}
    return {key: str(value) for key, value in given.items() if value is not None}


def _folder_of(location: Path) -> Path:
    """The folder that a location reads from: itself, that of the file, or what stands before the first wildcard."""
    if location.is_dir():
        return location
    parents = list(reversed(location.parents))
    return next((up for up, below in itertools.pairwise(parents) if set("*?[") & set(below.name)), parents[-1])


def _locations(options: StartOptions, folder: DataFolder) -> dict[str, Any]:
    """Locations and allow-list entries of the command line, remembered for the next start."""
    known = folder.recall()
    example = options.example if options.example is not None else known.get("example", options.friendly)
    locations: list[str] = list(dict.fromkeys([*known.get("locations", []), *options.locations]))
    hosts: list[str] = list(dict.fromkeys([*known.get("allow_hosts", []), *options.allow_hosts]))
    if example and not known:
        expect_triggers(folder)
    folder.remember(example=bool(example), locations=locations, allow_hosts=hosts)
    folders: list[str] = []
    found: list[dict[str, str]] = []
    kinds: list[str] = []
    if example:
        acme = example_folder()
        if acme is None:
            raise Invalid(
                "up.no_example", "The example organisation is not installed.", hint="Start with --no-example."
            )
        folders.append(str(acme))
        found.append({"type": "file", "target": str(acme / "catalog-info.yaml")})
        kinds = [str(file) for file in sorted((acme / "kinds").glob("*.kind.yaml"))]
    for location in locations:
        kind = guess_type(location)
        if kind in ("url", "git"):
            found.append({"type": kind, "target": location})
        else:
            path = Path(location).expanduser().resolve()
            folders.append(str(_folder_of(path)))
            found.append({"type": "file", "target": str(path)})
    return {
        "sources.extra_folders": folders,
        "sources.extra_hosts": hosts,
        "catalog.extra_locations": found,
        "catalog.extra_kinds": kinds,
    }


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                "up.port_in_use",
                f"Port {port} on {host} is in use by another program.",
                hint=f"Stop that program, or choose another port: --port {port + 1} (0 picks a free one).",
            ) from error
        raise Invalid(
            "up.cannot_listen", f"Cannot listen on {host}:{port}: {error.strerror}.", hint="Check --host and --port."
        ) from error
    return listener


def _serve(app: Application, listener: socket.socket, started: Callable[[], None]) -> None:
    config = uvicorn.Config(
        app.asgi,
        http=JoiningProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
        proxy_headers=bool(app.server.public_url),
        lifespan="on",
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                started()
            gc.freeze()
            gc.enable()

    server = Server(config)
    tidying = Every("memory", _TIDY_SECONDS, give_back)
    tidying.start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        log.info("stopped from the keyboard")
    finally:
        tidying.stop()
        app.stop()


def base_url(app: Application) -> str:
    """The address people use."""
    if app.server.public_url:
        return app.server.public_url.rstrip("/")
    host = "127.0.0.1" if app.server.host in ("0.0.0.0", "::") else app.server.host  # noqa: S104  only compared
    return f"http://{f'[{host}]' if ':' in host else host}:{app.server.port}"


def _tell_of_catalog(app: Application, progress: Progress) -> None:
    """Say when what the settings name has been read: the first start reads it while people sign in already."""
    # The catalog is not there when the platform is served alone; this runs in `flagstone up` only.
    from flagstone.portal.catalog import CatalogQuery, CatalogService

    catalog = app.deps.get(CatalogService)
    before = -1
    while app.started:
        count = catalog.count(CatalogQuery())
        if count == before:
            progress.step(f"The catalog holds {count} entities")
            return
        before = count
        time.sleep(1)


def _welcome(app: Application, options: StartOptions, folder: DataFolder, progress: Progress) -> None:
    url = base_url(app)
    identity = app.deps.get(IdentityService)
    if options.bootstrap_token_file is not None:
        identity.bootstrap_token(options.bootstrap_token_file)
    link = identity.ensure_bootstrap(url)
    if link and options.friendly:
        match_administrator(app, identity)
    progress.step(f"Serving on [bold]{url}[/]")
    progress.say()
    if link:
        progress.say(f"  Sign in once with  [bold cyan]{link}[/]")
        progress.say(f"  then set a password at {url}/me/password")
    else:
        progress.say(f"  Sign in at {url}/login")
    progress.say("  Stop with Ctrl-C.")
    progress.say()
    if options.friendly:
        threading.Thread(target=_tell_of_catalog, args=(app, progress), daemon=True, name="progress").start()
        threading.Thread(target=make_triggers, args=(app, folder), daemon=True, name="example").start()
    if not options.friendly:
        log.info("serving on %s", url)
        if link:
            log.warning("first start: sign in once with %s", link)
