"""The command line. Commands of slices live in the slices; here are those about the process itself."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, cast

import typer

from flagstone import __version__
from flagstone.app import slices
from flagstone.app.rooms import Rooms
from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli import guard

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


def load_commands() -> typer.Typer:
    """The complete command line: ours, then those of the slices, then those of plugins."""
    for module in ("local", "develop", "reference"):
        importlib.import_module(f"flagstone.entrypoints.{module}").register(app)
    for package, names in (("foundation", slices.FOUNDATION), ("platform", slices.PLATFORM), ("portal", slices.PORTAL)):
        for name in names:
            if importlib.util.find_spec(f"flagstone.{package}.{name}.cli") is not None:
                importlib.import_module(f"flagstone.{package}.{name}.cli").register(app)
    importlib.import_module("flagstone.entrypoints.plugins").register(app)
    return app


def main() -> None:
    """The installed command."""
    load_commands()()
