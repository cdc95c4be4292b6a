"""The command line. Commands of slices live in the slices; here are those about the process itself."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from flagstone import __version__
from flagstone.app import slices
from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli import guard

if TYPE_CHECKING:
    from flagstone.app.rooms import Rooms

_PACKAGE = Path(__file__).resolve().parent.parent
_ABOUT_THE_PROCESS = frozenset({"up", "serve", "worker", "config", "db", "admin"})

app = typer.Typer(
    name="flagstone",
    help="Internal developer portal and platform: see and own every service, create and deploy by golden paths.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
)

Config = Annotated[
    Path | None, typer.Option("--config", envvar="FLAGSTONE_CONFIG", help="Settings file (default: ./flagstone.toml).")
]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder.", show_default="./data")]
Port = Annotated[int | None, typer.Option("--port", help="Port; 0 picks a free one.", show_default="7070")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--bootstrap-token-file",
        envvar="FLAGSTONE_BOOTSTRAP_TOKEN_FILE",
        help="File with the API token of the first administrator; written when it is missing or empty.",
    ),
]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    """Options of the program itself."""
    if version:
        typer.echo(f"flagstone {__version__}")
        raise typer.Exit


@app.command()
def up(
    config: Config = None,
    data: Data = None,
    port: Port = None,
    host: Host = None,
    example: Annotated[
        bool | None,
        typer.Option("--example/--no-example", help="Load the example organisation.", show_default="on first start"),
    ] = None,
    location: Annotated[
        list[str] | None, typer.Option("--location", help="Catalog file, folder, glob or URL to register; repeatable.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="Host[:port] that may be read from; repeatable.")
    ] = None,
    bootstrap_token_file: TokenFile = None,
) -> None:
    """Start portal and platform in one process."""
    from flagstone.entrypoints.server import StartOptions, run  # the server's imports would slow every other command

    with guard():
        run(
            StartOptions(
                config=config,
                data=data,
                port=port,
                host=host,
                example=example,
                locations=tuple(location or ()),
                allow_hosts=tuple(allow_host or ()),
                bootstrap_token_file=bootstrap_token_file,
                friendly=True,
            )
        )


@app.command()
def serve(
    only: Annotated[str | None, typer.Option("--only", help="Serve one room: portal or platform.")] = None,
    config: Config = None,
    data: Data = None,
    port: Port = None,
    host: Host = None,
    bootstrap_token_file: TokenFile = None,
) -> None:
    """Serve for machines: no example, no chatter; one room with --only."""
    from flagstone.entrypoints.server import StartOptions, run  # the server's imports would slow every other command

    with guard():
        if only not in (None, "portal", "platform"):
            raise Invalid("serve.bad_room", f"--only {only} is no room.", hint="Say portal or platform.")
        run(
            StartOptions(
                config=config,
                data=data,
                port=port,
                host=host,
                rooms=cast("Rooms", only or "both"),
                bootstrap_token_file=bootstrap_token_file,
            )
        )


def load_commands(wanted: str | None = None) -> typer.Typer:
    """The complete command line: ours, then those of the slices, then those of plugins.

    ``wanted`` is the command that will run, when it is known: one about the process needs no slice's.
    """
    for module in ("local", "develop", "reference", "catalog_files", "worker"):
        importlib.import_module(f"flagstone.entrypoints.{module}").register(app)
    if wanted in _ABOUT_THE_PROCESS:
        return app
    for room, names in (("foundation", slices.FOUNDATION), ("platform", slices.PLATFORM), ("portal", slices.PORTAL)):
        for name in names:
            _load_file(room, name)
    importlib.import_module("flagstone.entrypoints.template_files").register(app)
    importlib.import_module("flagstone.entrypoints.plugins").register(app)
    return app


def _load_file(room: str, name: str) -> None:
    """Load ``cli.py`` of a slice by its path: importing it by name would import the slice, with database and web."""
    file = _PACKAGE / room / name / "cli.py"
    if not file.is_file():
        return
    spec = importlib.util.spec_from_file_location(f"flagstone_commands_{room}_{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.register(app)


def main() -> None:
    """The installed command."""
    # Starting makes a hundred thousand objects that live as long as the process: collecting garbage among them is
    # wasted work. The server turns it on again when it serves.
    gc.disable()
    wanted = sys.argv[1] if len(sys.argv) > 1 else None
    commands = load_commands(wanted)
    if wanted not in ("up", "serve"):
        gc.enable()
    commands()
