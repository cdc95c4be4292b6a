"""Commands: looking at the catalog."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.syntax import Syntax

from flagstone.contracts.locations import guess_type
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import Client, session
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "kind": "KIND",
    "name": "NAME",
    "type": "TYPE",
    "owner": "OWNER",
    "lifecycle": "LIFECYCLE",
    "system": "SYSTEM",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(get)
    app.command()(describe)
    app.command("register")(register_location)
    app.command("changes")(changes)


def get(
    kind: Annotated[
        str, typer.Argument(help="Kind, singular or plural (components, apis, groups …), or all.")
    ] = "components",
    text: Annotated[str | None, typer.Option("--filter", "-q", help="Words to look for.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only what this group or user owns.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, such as service.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="As it was at a moment, such as 2026-03-01T12:00:00Z.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List entities."""
    with session(url, token, as_json) as here:
        wanted = None if kind in ("all", "entities") else _kind(here.client, kind)
        if at is not None:
            if owner or type_:
                raise Invalid("catalog.bad_filter", "--at goes with a kind and --filter only.")
            past = here.client.pages("/api/v1/catalog-past", limit=limit, at=at, kind=wanted, q=text)
            found = list(past)
            here.out.table(
                found if as_json else [_row(entity) for entity in found], _COLUMNS, empty=f"There were no {kind} then."
            )
            return
        full = str(parse_ref(owner, default_kind="group")) if owner else None
        found = list(here.client.pages("/api/v1/entities", limit=limit, kind=wanted, q=text, owner=full, type=type_))
        rows = found if as_json else [_row(entity) for entity in found]
        here.out.table(rows, _COLUMNS, empty=f"No {kind} match. `flagstone register` adds some.")


def _kind(client: Client, word: str) -> str:
    """The kind that a word names, in the singular or the plural. Raises NotFound for a word that names none."""
    kinds = client.get("/api/v1/entity-kinds")["items"]
    for kind in kinds:
        if word.lower() in (kind["name"].lower(), kind["plural"].lower(), kind["name"].lower() + "s"):
            return str(kind["name"]).lower()
    known = ", ".join(sorted(kind["name"].lower() for kind in kinds))
    raise NotFound("catalog.no_kind", f"There is no kind {word!r:.60}.", hint=f"Known are all and {known}.")


def changes(
    since: Annotated[str, typer.Option("--since", help="From this moment, such as 2026-03-01T12:00:00Z.")],
    until: Annotated[str | None, typer.Option("--until", help="To this moment.", show_default="now")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """What became of each entity that changed between two moments."""
    with session(url, token, as_json) as here:
        found = list(here.client.pages("/api/v1/catalog-changes", limit=limit, since=since, until=until, kind=kind))
        rows = found if as_json else [{**item, "fields": ", ".join(item["fields"][:6])} for item in found]
        columns = {"ref": "ENTITY", "change": "CHANGE", "fields": "FIELDS", "at": "LAST", "actor_name": "BY"}
        here.out.table(rows, columns, empty="Nothing changed.")


def _row(entity: dict[str, Any]) -> dict[str, Any]:
    spec = entity.get("spec") or {}
    name = entity["metadata"]["name"]
    namespace = entity["metadata"].get("namespace", "default")
    return {
        "kind": entity["kind"],
        "name": name if namespace == "default" else f"{namespace}/{name}",
        **{key: spec.get(key) for key in ("type", "owner", "lifecycle", "system")},
    }


def describe(
    ref: Annotated[str, typer.Argument(help="Entity, such as checkout or group:default/platform.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Everything about one entity: facts, relations, deployments, problems."""
    with session(url, token, as_json) as here:
        path = parse_ref(ref, default_kind="component").path
        entity: dict[str, Any] = here.client.get(f"/api/v1/entities/{path}")
        deployments = here.client.get("/api/v1/deployments", entity_ref=str(parse_ref(ref, default_kind="component")))[
            "items"
        ]
        if as_json:
            here.out.json({**entity, "deployments": deployments})
            return
        document = entity.get("entity", entity)
        meta, spec = document["metadata"], document.get("spec") or {}
        here.out.fields(
            {
                "Name": meta["name"],
                "Kind": document["kind"],
                "Namespace": meta.get("namespace"),
                "Title": meta.get("title"),
                "Description": meta.get("description"),
                "Type": spec.get("type"),
                "Lifecycle": spec.get("lifecycle"),
                "Owner": spec.get("owner"),
                "System": spec.get("system"),
                "Tags": meta.get("tags"),
                "Source": (meta.get("annotations") or {}).get("backstage.io/managed-by-location"),
            }
        )
        relations = document.get("relations") or []
        if relations:
            here.out.console.print("\n[bold]Relations[/]")
            here.out.table(relations, {"type": "TYPE", "targetRef": "ENTITY"}, empty="")
        if deployments:
            here.out.console.print("\n[bold]Deployments[/]")
            here.out.table(
                [{**item, "version": (item.get("release") or {}).get("version")} for item in deployments],
                {"environment": "ENVIRONMENT", "state": "STATE", "version": "VERSION", "since": "SINCE", "url": "URL"},
                empty="",
            )
        rest = {
            key: value
            for key, value in spec.items()
            if key not in ("type", "lifecycle", "owner", "system", "definition")
        }
        if rest:
            here.out.console.print("\n[bold]Spec[/]")
            here.out.console.print(
                Syntax(json.dumps(rest, indent=2, ensure_ascii=False), "json", background_color="default")
            )


def register_location(
    target: Annotated[
        str, typer.Argument(help="Catalog file: a URL, a path on the server, or project/repository/path.")
    ],
    type_: Annotated[
        str | None, typer.Option("--type", help="url, git, file or hosted.", show_default="by the look of it")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would appear.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Register a catalog file."""
    with session(url, token, as_json) as here:
        kind = type_ or guess_type(target)
        found = here.client.post(
            "/api/v1/locations", {"type": kind, "target": target}, dry_run="true" if dry_run else None
        )
        if as_json:
            here.out.json(found)
            return
        if dry_run:
            here.out.table(found["entities"], {"ref": "ENTITY", "outcome": "IS"}, empty="It holds no entities.")
        for problem in found.get("problems", []):
            here.out.say(
                f"{problem.get('file', target)}:{problem.get('line') or '?'}: {problem.get('message')}", style="yellow"
            )
        if dry_run:
            here.out.say("Nothing was registered (dry run).")
            return
        here.out.say(f"Registered {kind}:{target}.")
        if not found["entities"]:
            here.out.say("All it holds is declared elsewhere, or wrong: see Problems.", style="yellow")
