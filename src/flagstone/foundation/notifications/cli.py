"""Commands: notifications, and deliveries that did not arrive."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.session import AsJson, Token, Url

_OWN = {"title": "TITLE", "topic": "TOPIC", "new": "NEW", "at": "AGE", "url": "PAGE"}
_DELIVERIES = {
    "id": "DELIVERY",
    "title": "TITLE",
    "kind": "KIND",
    "recipient": "TO",
    "state": "STATE",
    "tries": "TRIES",
    "error": "ERROR",
}
Limit = Annotated[int, typer.Option(help="At most so many.")]


def register(app: typer.Typer) -> None:
    """Add ``notifications``."""
    group = typer.Typer(help="Notifications: list, deliveries, retry, test.", no_args_is_help=True)
    group.command("list")(list_own)
    group.command("deliveries")(deliveries)
    group.command("retry")(retry)
    group.command("test")(try_channel)
    app.add_typer(group, name="notifications")


def list_own(limit: Limit = 20, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List what you were told, newest first."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/notifications", limit=limit))
        shown = rows if as_json else [{**row, "new": "" if row["read"] else "new"} for row in rows]
        here.out.table(shown, _OWN, empty="You were told nothing yet.")


def deliveries(
    state: Annotated[str | None, typer.Option(help="Only pending, sent or dead.")] = None,
    limit: Limit = 20,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List e-mails and calls of webhooks, and what went wrong, newest first."""
    with session(url, token, as_json) as here:
        wanted: dict[str, Any] = {"state": state}
        rows = list(here.client.pages("/api/v1/notifications/deliveries", limit=limit, **wanted))
        here.out.table(rows, _DELIVERIES, empty="There is none.")


def retry(
    delivery: Annotated[str, typer.Argument(help="Id of a dead delivery.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Try a dead delivery again."""
    with session(url, token, as_json) as here:
        found = here.client.post(f"/api/v1/notifications/deliveries/{delivery}/retry")
        if as_json:
            here.out.json(found)
        here.out.say("It is tried again.")


def try_channel(
    channel: Annotated[str, typer.Argument(help="Name of a channel of the settings.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Send a test to a channel."""
    with session(url, token, as_json) as here:
        here.client.post(f"/api/v1/notifications/channels/{channel}/test")
        if as_json:
            here.out.json({"channel": channel})
        here.out.say(f"A test is on its way to {channel}; `flagstone notifications deliveries` says how it went.")
