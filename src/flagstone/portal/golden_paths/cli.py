"""Commands: golden paths."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flagstone.kernel.errors import Denied, Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.plans import read_values, show_plan, types_of
from flagstone.toolkit.cli.secrets import SecretOption, asked_by, read_secrets
from flagstone.toolkit.cli.session import AsJson, Token, Url


def register(app: typer.Typer) -> None:
    """Add the commands."""
    templates = typer.Typer(help="Golden paths: list, show, check, preview, test.", no_args_is_help=False)
    templates.callback(invoke_without_command=True)(group)
    templates.command("list")(list_templates)
    templates.command("show")(show)
    app.add_typer(templates, name="templates")
    app.command()(run)


def group(context: typer.Context, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Golden paths: list, show, check, preview, test."""
    if context.invoked_subcommand is None:
        list_templates("", url, token, as_json)


def list_templates(
    text: Annotated[str, typer.Argument(help="Only those with these words.")] = "",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List golden paths, recommended ones first."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/templates", text=text))
        columns = {"name": "NAME", "title": "TITLE", "type": "TYPE", "owner": "OWNER"}
        here.out.table(rows, columns, empty="There is no golden path yet. Register a template file.")


def show(
    name: Annotated[str, typer.Argument(help="Golden path, such as python-web-service.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what a golden path asks for, what it does, and what is wrong with it."""
    with session(url, token, as_json) as here:
        path = f"/api/v1/templates/{_path(name)}"
        found = here.client.get(path)
        if as_json:
            here.out.json(found)
            return
        here.out.fields(
            {
                "Title": found["title"],
                "Description": found.get("description"),
                "Owner": found.get("owner"),
                "Steps": ", ".join(str(step["action"]) for step in found["actions"]),
            }
        )
        here.out.table(
            _parameters(found),
            {"name": "PARAMETER", "type": "TYPE", "required": "REQUIRED", "default": "DEFAULT", "title": "MEANING"},
            empty="It asks for nothing.",
        )
        for item in here.client.get(f"{path}/check")["findings"]:
            where = f"{item['file']}:{item['line']} " if item["line"] else ""
            here.out.say(f"{item['severity']}: {where}{item['place']}: {item['message']}", style="yellow")


def run(
    name: Annotated[str, typer.Argument(help="Golden path, such as python-web-service.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Value: name=value, repeatable; JSON for lists and objects.")
    ] = None,
    values: Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with values.")] = None,
    again: Annotated[int | None, typer.Option("--again", help="Begin with the answers of this run.")] = None,
    entity: Annotated[str | None, typer.Option(help="What a day-2 action is for, such as component:orders.")] = None,
    secret: SecretOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Start a golden path: shows the plan, asks, follows the run."""
    with session(url, token, as_json) as here:
        path = f"/api/v1/templates/{_path(name)}"
        schema = here.client.get(path)
        pages = [step["schema"] for step in schema.get("steps", [])]
        given = read_values(types_of(pages), values, set_ or [])
        secrets = read_secrets(secret or (), asked := asked_by(pages))
        given |= {item["name"]: item["stars"] for item in asked if secrets.get(item["name"])}
        before = here.client.get(f"/api/v1/runs/{again}") if again else None
        if before:
            given = {**{key: item for key, item in before["inputs"].items() if not _starred(item)}, **given}
        about = {"entity": str(parse_ref(entity, default_kind="component"))} if entity else {}
        plan = here.client.post(f"{path}/plan", {"values": given, "secrets": secrets, **about})
        if dry_run and as_json:
            here.out.json(plan)
            return
        if not as_json:
            show_plan(here.out, plan)
        if plan["problems"]:
            raise Invalid("cli.plan_has_problems", "The plan cannot be carried out.", hint="See above.")
        if not plan["allowed"]:
            reasons = "; ".join(step["reason"] for step in plan["steps"] if not step["allowed"])
            raise Denied("cli.plan_not_allowed", f"You may not do this: {reasons}.")
        if dry_run:
            return
        if not yes and not as_json and sys.stdin.isatty() and not typer.confirm("Go ahead?", err=True):
            raise typer.Exit(1)
        body = {"values": given, "secrets": secrets, "plan_digest": plan["digest"], **about}
        body |= {"rerun_of": before["id"]} if before else {}
        follow_run(here, here.client.post(f"{path}/runs", body), follow=follow)


def _starred(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("***")


def _path(name: str) -> str:
    ref = parse_ref(name, default_kind="template")
    return f"{ref.namespace}/{ref.name}"


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for step in schema.get("steps", []):
        page = step["schema"]
        for key, item in page.get("properties", {}).items():
            rows.append(
                {
                    "name": key,
                    "type": " | ".join(str(value) for value in item["enum"])
                    if "enum" in item
                    else item.get("type", ""),
                    "required": "yes" if key in page.get("required", []) else "",
                    "default": json.dumps(item["default"]) if "default" in item else "",
                    "title": item.get("description") or item.get("title", ""),
                }
            )
    return rows
