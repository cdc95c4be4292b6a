"""Commands about this machine's installation: settings, databases, the way back in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flagstone.toolkit.cli import Output, guard

if TYPE_CHECKING:
    from flagstone.app.build import Application

Config = Annotated[
    Path | None, typer.Option("--config", envvar="FLAGSTONE_CONFIG", help="Settings file (default: ./flagstone.toml).")
]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder.", show_default="./data")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add ``config``, ``db`` and ``admin``."""
    config = typer.Typer(help="Settings: what they are, where they come from.", no_args_is_help=True)
    config.command("explain")(explain)
    app.add_typer(config, name="config")
    db = typer.Typer(help="Databases.", no_args_is_help=True)
    db.command("migrate")(migrate)
    app.add_typer(db, name="db")
    admin = typer.Typer(help="Administration on the machine of the server.", no_args_is_help=True)
    admin.command("sign-in-link")(sign_in_link)
    app.add_typer(admin, name="admin")


def _build(config: Path | None, data: Path | None) -> Application:
    from flagstone.app.build import build  # builds the whole server: slow, and only needed here
    from flagstone.app.rooms import load_settings

    overrides = {"server.data_dir": str(data)} if data else {}
    return build(load_settings(config, overrides=overrides))


def explain(
    key: Annotated[str | None, typer.Argument(help="Only settings that begin with this, such as `server`.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Every setting: value, where it comes from, the variable that sets it, what it is for."""
    with guard(as_json=as_json):
        rows = [
            {"key": row.key, "value": row.value, "source": row.source, "variable": row.variable, "help": row.help}
            for row in _build(config, None).settings.explain()
            if key is None or row.key.startswith(key)
        ]
        Output(as_json=as_json).table(
            rows,
            {"key": "SETTING", "value": "VALUE", "source": "SOURCE", "help": "MEANING"},
            empty=f"No setting begins with {key!r}.",
        )


def migrate(config: Config = None, data: Data = None) -> None:
    """Bring the schemas of all databases up to date."""
    with guard():
        app = _build(config, data)
        done = app.migrate()
        typer.echo("The databases are up to date now." if done else "The databases were up to date already.")


def sign_in_link(
    username: Annotated[str, typer.Argument(help="For whom.")] = "admin",
    config: Config = None,
    data: Data = None,
) -> None:
    """A one-time sign-in link: the way back in for someone who can reach the data folder."""
    from flagstone.entrypoints.server import base_url  # see _build
    from flagstone.foundation.identity import IdentityService

    with guard():
        app = _build(config, data)
        app.migrate()
        typer.echo(app.deps.get(IdentityService).sign_in_link(username, base_url(app)))
