"""Commands: signing in and out of a server."""

from __future__ import annotations

import socket
import sys
from typing import Annotated

import typer

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli import Client, session
from flagstone.toolkit.cli.session import AsJson, Token, Url


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)


def login(
    url: Url = None,
    username: Annotated[str | None, typer.Option(help="Sign in with a password, which is asked for.")] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="FLAGSTONE_TOKEN", help="API token; `-` reads it from standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remember a server and a token for it."""
    with session(url, None, as_json) as here:
        base = here.client.url
        if token == "-":  # noqa: S105  the sign for standard input
            token = sys.stdin.readline().strip()
        if token is None:
            here.out.say(f"Signing in to {base}. An API token (from {base}/me/tokens) or your password will do.")
            if username is None:
                token = typer.prompt(
                    "API token (empty: use a password)", default="", hide_input=True, show_default=False, err=True
                )
            if not token:
                token = _by_password(here.client, username or typer.prompt("Username", err=True))
        if not token:
            raise Invalid("cli.no_token", "No token was given.")
        me = Client(base, token).get("/api/v1/me")
        here.profile.tokens[base] = token
        here.profile.current = base
        here.profile.save()
        if as_json:
            here.out.json(me)
        here.out.say(f"Signed in to {base} as {me['name']} ({me['role']}).", style="green")


def _by_password(client: Client, username: str) -> str:
    password = typer.prompt("Password", hide_input=True, err=True)
    body = {"username": username, "password": password, "name": f"flagstone login on {socket.gethostname()}"}
    return str(client.post("/api/v1/session", body)["token"])


def logout(url: Url = None) -> None:
    """Forget the token of a server."""
    with session(url, None, as_json=False) as here:
        known = here.profile.tokens.pop(here.client.url, None)
        here.profile.save()
        here.out.say(
            f"Forgot the token for {here.client.url}." if known else f"There was no token for {here.client.url}."
        )


def whoami(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Who the server takes you for."""
    with session(url, token, as_json) as here:
        me = here.client.get("/api/v1/me")
        if as_json:
            here.out.json(me)
        else:
            here.out.fields(
                {
                    "Name": me["name"],
                    "Role": me.get("role"),
                    "Person": me.get("entity_ref"),
                    "Groups": me.get("groups"),
                    "Server": here.client.url,
                }
            )
