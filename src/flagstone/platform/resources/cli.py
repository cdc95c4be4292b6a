"""Commands: resources."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from flagstone.kernel.errors import Denied, Invalid, NotFound
from flagstone.kernel.refs import EntityRef, parse_ref
from flagstone.toolkit.cli import Client, session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "type": "TYPE",
    "name": "NAME",
    "entity_ref": "COMPONENT",
    "environment": "ENVIRONMENT",
    "state": "STATE",
    "owner": "OWNER",
    "id": "ID",
    "message": "NOTE",
}
_TYPES = {"name": "TYPE", "title": "TITLE", "provided": "PROVIDED BY", "description": "DESCRIPTION"}
_DEFINITIONS = {
    "type": "TYPE",
    "resource_class": "CLASS",
    "name": "DEFINITION",
    "driver": "DRIVER",
    "where": "WHERE",
    "cost": "COST",
    "resources": "RESOURCES",
}
Resource = Annotated[str, typer.Argument(help="Id of the resource.")]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Only in this environment.")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")]


def register(app: typer.Typer) -> None:
    """Add ``resources``."""
    resources = typer.Typer(
        help="What software needs beside itself: list, show, types, definitions, request, remove.", no_args_is_help=True
    )
    resources.command("list")(list_resources)
    for command in (show, types, definitions, request, remove):
        resources.command()(command)
    app.add_typer(resources, name="resources")


def list_resources(
    component: Annotated[str | None, typer.Option(help="Only those of this component.")] = None,
    env: Environment = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only of this type.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state, such as failed or removed.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this owner.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List resources by component and environment."""
    with session(url, token, as_json) as here:
        wanted = {
            "entity_ref": str(parse_ref(component, default_kind="component")) if component else None,
            "environment": env,
            "type": type_,
            "state": state,
            "owners": str(parse_ref(owner, default_kind="group")) if owner else None,
        }
        rows = list(here.client.pages("/api/v1/resources", limit=limit, **wanted))
        here.out.table(rows, _COLUMNS, empty="There is none.")


def show(resource: Resource, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """A resource: its state, its outputs, and the names of those that only workloads are given."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/resources/{resource}")
        if as_json:
            here.out.console.print_json(data=found)
            return
        print_ = here.out.console.print
        print_(f"{found['type']} {found['name']} in {found['environment']}: {found['state']}", markup=False)
        for label in ("message", "drift", "entity_ref", "owner", "definition", "driver", "last_run_id"):
            if found.get(label):
                print_(f"  {label.replace('_', ' ')}: {found[label]}", markup=False, soft_wrap=True)
        for name, value in found["params"].items():
            print_(f"  params.{name}: {_text(value)}", markup=False, soft_wrap=True)
        for name, value in found["outputs"].items():
            print_(f"  outputs.{name}: {_text(value)}", markup=False, soft_wrap=True)
        for name in found["secret_names"]:
            print_(f"  outputs.{name}: (secret, given to workloads only)", markup=False)


def types(
    name: Annotated[str | None, typer.Argument(help="Show what this one takes and gives.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List what may be asked for."""
    with session(url, token, as_json) as here:
        rows = [row for row in here.client.get("/api/v1/resource-types")["items"] if name in (None, row["name"])]
        if name is not None and not rows:
            raise Invalid("cli.no_such_type", f"There is no resource type {name!r}.", hint="flagstone resources types")
        if name is not None and not as_json:
            shown = {key: rows[0][key] for key in ("params_schema", "outputs_schema", "secret_outputs", "definitions")}
            here.out.console.print(f"{name}: {rows[0]['title']}. {rows[0]['description']}", markup=False)
            here.out.console.print_json(data=shown)
            return
        for row in () if as_json else rows:
            row["provided"] = ", ".join(row["definitions"]) or "nobody"
        here.out.table(rows, _TYPES, empty="Nothing may be asked for: no plugin brings a resource type.")


def definitions(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List who provides what where, the most specific first."""
    with session(url, token, as_json) as here:
        rows = here.client.get("/api/v1/resource-definitions")["items"]
        for row in () if as_json else rows:
            set_ = {key: value for key, value in row["criteria"].items() if value}
            row["where"] = ", ".join(f"{key} {value}" for key, value in set_.items()) or "everywhere"
            row["cost"] = f"{row['monthly_cost']} {row['currency']}" if row["monthly_cost"] else ""
        here.out.table(rows, _DEFINITIONS, empty="Nobody provides anything.")


def request(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Resource type, such as sqlite.")],
    name: Annotated[str, typer.Argument(help="Its name: the one under resources in score.yaml.")],
    component: Annotated[str | None, typer.Option(help="Component that it belongs to.")] = None,
    env: Annotated[str, typer.Option("--env", "-e", help="Environment.")] = "development",
    class_: Annotated[str, typer.Option("--class", help="Class.")] = "default",
    owner: Annotated[str | None, typer.Option(help="Who owns it; default: who owns the component.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE; VALUE may be JSON.")] = None,
    adopt: Annotated[bool, typer.Option(help="Go over to the definition that fits today.")] = False,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a resource; one that is there already is made to fit."""
    with session(url, token, as_json) as here:
        ref = parse_ref(component, default_kind="component") if component else None
        body = {
            "type": type_,
            "name": name,
            "environment": env,
            "class": class_,
            "entity_ref": str(ref) if ref else None,
            "owner": owner or (_owner(here.client, ref) if ref else None),
            "params": dict(_param(text) for text in param or ()),
            "adopt": adopt,
        }
        follow_run(here, here.client.post("/api/v1/resources", body), follow=follow)


def remove(
    resource: Resource,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete its data for good, too.")] = False,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Take a resource away. Its data are kept aside, and the run says where."""
    with session(url, token, as_json) as here:
        run = here.client.delete(f"/api/v1/resources/{resource}", delete_data=delete_data)
        follow_run(here, run, follow=follow)


def _owner(client: Client, ref: EntityRef) -> str | None:
    """Who owns a component, where the server has a catalog that knows it: only its own workloads are given it."""
    try:
        found = client.get(f"/api/v1/entities/{ref.kind}/{ref.namespace}/{ref.name}")
    except (NotFound, Denied):
        return None
    owners = [one["targetRef"] for one in found.get("relations", ()) if one["type"] == "ownedBy"]
    return str(owners[0]) if owners else None


def _param(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not name or not mark:
        raise Invalid("cli.bad_param", f"{text!r} is not NAME=VALUE.", hint="Such as --param size=10.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
