"""Commands: golden paths."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from flagstone.kernel.errors import Denied, Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import Output, session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.session import AsJson, Token, Url
from flagstone.toolkit.yaml import load_documents

_SIGN = {
    "create": ("+", "green"),
    "change": ("~", "yellow"),
    "delete": ("-", "red"),
    "run": (">", "blue"),
    "none": (" ", ""),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(templates)
    app.command()(run)


def templates(
    name: Annotated[str | None, typer.Argument(help="Show the parameters of this one.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List golden paths, or show what one asks for."""
    with session(url, token, as_json) as here:
        if name is None:
            rows = list(here.client.pages("/api/v1/templates"))
            columns = {"name": "NAME", "title": "TITLE", "type": "TYPE", "owner": "OWNER"}
            here.out.table(rows, columns, empty="There is no golden path yet. Register a template file.")
            return
        found = here.client.get(f"/api/v1/templates/{_path(name)}")
        if as_json:
            here.out.json(found)
            return
        here.out.fields({"Title": found["title"], "Description": found.get("description")})
        here.out.table(
            _parameters(found),
            {"name": "PARAMETER", "type": "TYPE", "required": "REQUIRED", "default": "DEFAULT", "title": "MEANING"},
            empty="It asks for nothing.",
        )


def run(
    name: Annotated[str, typer.Argument(help="Golden path, such as python-web-service.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Value: name=value, repeatable; JSON for lists and objects.")
    ] = None,
    values: Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with values.")] = None,
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
        given = _values(schema, values, set_ or [])
        plan = here.client.post(f"{path}/plan", {"values": given})
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
        body = {"values": given, "plan_digest": plan["digest"]}
        follow_run(here, here.client.post(f"{path}/runs", body), follow=follow)


def show_plan(out: Output, plan: dict[str, Any]) -> None:
    """The change set as text."""
    for step in plan["steps"]:
        skipped = "  (skipped)" if step["skipped"] else ""
        out.console.print(Text(step["name"], style="bold") + Text(f"  {step['action']}{skipped}", style="bright_black"))
        for change in step["changes"]:
            sign, style = _SIGN[change["op"]]
            line = f"  {sign} {change['kind']} {change['subject']}"
            out.console.print(Text(line, style=style) + Text(f"  {change['detail']}", style="bright_black"))
            for label, value in change.get("facts", {}).items():
                out.console.print(Text(f"      {label}: {value}", style="bright_black"))
        for file in plan["files"]:
            if file["step"] == step["id"]:
                sign, style = _SIGN[file["op"]]
                out.console.print(Text(f"  {sign} {file['path']}", style=style))
        for note in step["notes"]:
            out.console.print(Text(f"  ? {note}", style="yellow"))
        if not step["allowed"]:
            out.console.print(Text(f"  ! {step['reason']}", style="red"))
    for problem in plan["problems"]:
        out.console.print(Text(f"! {problem}", style="red"))


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


def _values(schema: dict[str, Any], file: Path | None, pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if file is not None:
        try:
            documents = load_documents(file.read_bytes(), name=str(file))
        except OSError as error:
            raise Invalid("cli.bad_values_file", f"{file} cannot be read: {error}.") from error
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            raise Invalid("cli.bad_values_file", f"{file} must hold names and values.")
        found.update(documents[0].value)
    types = {
        key: item.get("type")
        for step in schema.get("steps", [])
        for key, item in step["schema"].get("properties", {}).items()
    }
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign:
            raise Invalid("cli.bad_value", f"--set {pair!r} has no =.", hint="Write --set name=value.")
        found[key] = _typed(key, text, types.get(key))
    return found


def _typed(key: str, text: str, kind: str | None) -> Any:
    if kind in ("integer", "number", "boolean", "array", "object"):
        try:
            return json.loads(text)
        except ValueError:
            if kind == "array":
                return [part.strip() for part in text.split(",") if part.strip()]
            raise Invalid("cli.bad_value", f"--set {key}={text!r} is not of type {kind}.") from None
    return text
