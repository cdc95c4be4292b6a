"""Commands: the kinds of step that there are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {"id": "ACTION", "title": "TITLE", "idempotency": "IDEMPOTENCY", "source": "PLUGIN"}
_MEMBERS = {"name": "NAME", "type": "TYPE", "required": "REQUIRED", "description": "MEANING"}


def register(app: typer.Typer) -> None:
    """Add ``actions``."""
    actions = typer.Typer(help="Actions, the kinds of step of golden paths: list, show.", no_args_is_help=True)
    actions.command("list")(list_actions)
    actions.command("show")(show)
    app.add_typer(actions, name="actions")


def list_actions(
    words: Annotated[str, typer.Argument(help="Only those with these words in id, title or description.")] = "",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the actions of the server."""
    wanted = words.lower().split()
    with session(url, token, as_json) as here:
        rows = [
            item
            for item in here.client.get("/api/v1/actions")["items"]
            if all(word in f"{item['id']} {item['title']} {item['description']}".lower() for word in wanted)
        ]
        here.out.table(rows, _COLUMNS, empty="There is no such action.")


def show(
    action: Annotated[str, typer.Argument(help="Id of the action, such as fetch:template.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """What an action does, takes and gives, with an example."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/actions/{action}")
        if as_json:
            here.out.json(found)
            return
        out = here.out
        out.fields(
            {
                "Action": found["id"],
                "Title": found["title"],
                "Meaning": found["description"],
                "Permission": found["permission"],
                "Idempotency": found["idempotency"],
                "After a crash": found.get("idempotency_note"),
                "Undo": found["undo"],
            }
        )
        for title, schema in (("Input", found["input_schema"]), ("Output", found["output_schema"])):
            if rows := _members(schema):
                typer.echo(f"\n{title}")
                out.table(rows, _MEMBERS, empty="")
        for example in found["examples"]:
            typer.echo(f"\n{example['title']}:\n\n{example['yaml'].rstrip()}")


def _members(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": item.get("type") or " or ".join(str(part.get("type", "any")) for part in item.get("anyOf", [{}])),
            "required": "yes" if name in required else "",
            "description": " ".join(str(item.get("description", "")).split()),
        }
        for name, item in schema.get("properties", {}).items()
    ]
