"""Commands: secrets. Values go in and never come out."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.secrets import read_secrets
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "name": "NAME",
    "version": "VERSION",
    "fingerprint": "FINGERPRINT",
    "created_at": "SET",
    "created_by": "BY",
    "used_at": "USED",
}
Name = Annotated[str, typer.Argument(help="Name of the secret, such as `github-token` or `postgres/admin`.")]


def register(app: typer.Typer) -> None:
    """Add ``secrets``."""
    secrets = typer.Typer(help="Secrets of the vault: list, set, delete.", no_args_is_help=True)
    secrets.command("list")(list_secrets)
    secrets.command("set")(set_secret)
    secrets.command("delete")(delete_secret)
    app.add_typer(secrets, name="secrets")


def list_secrets(
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List secrets by name, without their values. The fingerprint differs when the value does."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/secrets", limit=limit))
        here.out.table(rows, _COLUMNS, empty="There is no secret. Set one with `flagstone secrets set NAME`.")


def set_secret(
    name: Name,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="Read the value from a file; `-` is standard input.")
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Set a secret; a new version when there is one of this name. Without a file the value is asked for."""
    with session(url, token, as_json) as here:
        if "=" in name:
            raise Invalid(
                "cli.bad_secret",
                "A value among the arguments can be seen by others on this machine.",
                hint="Give the name alone: the value is asked for, or read with --file.",
            )
        value = read_secrets([f"{name}=@{file}" if file else name])[name]
        found = here.client.put(f"/api/v1/secrets/{quote(name)}", {"value": value})
        if as_json:
            here.out.json(found)
        here.out.say(f"Set {name}, version {found['version']}, fingerprint {found['fingerprint']}.", style="green")


def delete_secret(name: Name, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Delete a secret with all its versions. What uses it fails from then on."""
    with session(url, token, as_json) as here:
        here.client.delete(f"/api/v1/secrets/{quote(name)}")
        if as_json:
            here.out.json({"name": name, "deleted": True})
        here.out.say(f"Deleted {name}.", style="green")
