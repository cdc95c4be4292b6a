"""The reference pages of the documentation, generated from code: nothing in them can be out of date.

``flagstone dev reference`` writes them, ``--check`` (and a test) says whether they are as the code is.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from flagstone.kernel import errors
from flagstone.kernel.errors import Conflict
from flagstone.sdk import hooks
from flagstone.toolkit.cli import guard

if TYPE_CHECKING:
    from flagstone.app.build import Application

_HEAD = "<!-- Generated from code by `flagstone dev reference`; do not edit. -->\n\n"


def register(app: typer.Typer) -> None:
    """Add the command to ``dev``."""

    def reference(
        folder: Annotated[Path, typer.Argument(help="Where the pages are.")] = Path("docs/reference"),
        check: Annotated[bool, typer.Option("--check", help="Only say whether they are up to date.")] = False,
    ) -> None:
        """Write the reference pages of the documentation."""
        with guard():
            stale = [path.name for path, text in pages(folder, app) if not path.exists() or path.read_text() != text]
            if check and stale:
                raise Conflict(
                    "dev.stale_reference", f"Out of date: {', '.join(stale)}.", hint="Run `flagstone dev reference`."
                )
            for path, text in pages(folder, app):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            typer.echo(f"{folder} is up to date.")

    for group in app.registered_groups:
        if group.name == "dev" and group.typer_instance is not None:
            group.typer_instance.command("reference")(reference)


def pages(folder: Path, commands: typer.Typer) -> Iterator[tuple[Path, str]]:
    """(path, text) of every page."""
    from flagstone.app.build import build  # builds the whole server: slow, and only needed here
    from flagstone.app.rooms import load_settings

    app = build(load_settings(None, environ={}, overrides={"server.data_dir": "data"}), discover=False)
    yield folder / "settings.md", _HEAD + settings_page(app)
    yield folder / "permissions.md", _HEAD + permissions_page(app)
    yield folder / "actions.md", _HEAD + actions_page(app)
    yield folder / "commands.md", _HEAD + commands_page(commands)
    yield folder / "errors.md", _HEAD + errors_page()
    yield folder / "hooks.md", _HEAD + hooks_page()


def settings_page(app: Application) -> str:
    """Every setting."""
    rows = [
        f"| `{row.key}` | `{row.variable}` | `{_default(app, row.key)}` | {row.help} |"
        for row in app.settings.explain()
    ]
    return (
        "# Settings\n\nFrom `flagstone.toml`, environment variables and the command line, later ones winning. A variable that ends in\n"
        "`_FILE` names a file that holds the value: `FLAGSTONE_VAULT__KEY_FILE`. `flagstone config explain` shows what is in force.\n\n"
        "| setting | variable | default | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _default(app: Application, key: str) -> str:
    found = next(row for row in app.settings.explain() if row.key == key)
    return found.value.replace("|", "\\|")


def permissions_page(app: Application) -> str:
    """Every permission."""
    from flagstone.foundation.access import AccessService  # see pages

    rows = [
        f"| `{item.name}` | {item.description} | {item.role} | {'yes' if item.owner else ''} |"
        for item in sorted(app.deps.get(AccessService).permissions(), key=lambda item: item.name)
    ]
    return (
        "# Permissions\n\nA role has what the roles before it have: viewer, developer, maintainer, admin. Where *owners* says yes, those who own\n"
        "the resource have it from the role developer on. An API token may be narrowed by scopes: a permission, a prefix of one\n"
        "(`catalog`), `read` for everything that only reads, `*`.\n\n"
        "| permission | allows to | from role | owners |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def actions_page(app: Application) -> str:
    """Every action with its inputs and outputs."""
    from flagstone.platform.runs import ActionRegistry  # see pages

    parts = ["# Actions\n\nThe kinds of step that golden paths are made of.\n"]
    for spec in sorted(app.deps.get(ActionRegistry).specs(), key=lambda item: item.id):
        parts.append(f"## {spec.id}\n\n{spec.title}. {' '.join(spec.description.split())}\n")
        undo = "can be undone" if spec.has_undo else "has no undo"
        parts.append(
            f"Permission `{spec.permission}`; idempotency *{spec.idempotency}*; {undo}. {' '.join(spec.undo.split())}\n"
            + (f"\n{spec.idempotency_note}\n" if spec.idempotency_note else "")
        )
        parts += [_members("input", spec.input_schema), _members("output", spec.output_schema)]
        parts += [f"{item.title}:\n\n```yaml\n{item.yaml.rstrip()}\n```\n" for item in spec.examples]
    return "\n".join(part for part in parts if part)


def _members(title: str, schema: dict[str, Any]) -> str:
    members = schema.get("properties", {})
    if not members:
        return ""
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(item)} | {'yes' if name in required else ''} | {' '.join(str(item.get('description', '')).split())} |"
        for name, item in members.items()
    ]
    return f"| {title} | type | required | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(item) for item in schema["anyOf"] if item.get("type") != "null"))
    return str(schema.get("type", "any"))


def commands_page(app: typer.Typer) -> str:
    """Every command with its help."""
    parts = ["# Commands\n"]
    group = typer.main.get_command(app)
    for path, command in _commands(group, "flagstone"):
        usage = " ".join([path, *command.collect_usage_pieces(click.Context(command))])
        parts.append(f"## {path}\n\n{inspect.cleandoc(command.help or '')}\n\n    {usage}\n")
        rows = [_parameter(item) for item in command.params if item.name != "help"]
        if rows:
            parts.append("| parameter | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name in sorted(children):
        yield from _commands(children[name], f"{path} {name}")


def _parameter(item: Any) -> str:
    names = (
        ", ".join(f"`{name}`" for name in [*item.opts, *item.secondary_opts])
        if item.opts[0].startswith("-")
        else f"`{item.metavar or item.name}`"
    )
    words = " ".join((getattr(item, "help", None) or "").split()).replace("|", "\\|")
    return f"| {names} | {words} |"


def errors_page() -> str:
    """Every error code, found in the sources."""
    kinds = {kind.__name__: kind for kind in errors.FAMILIES.values()}
    found: dict[str, tuple[str, int, int]] = {}
    for source in sorted(Path(inspect.getfile(errors)).parent.parent.rglob("*.py")):
        if "tests" in source.parts:
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    kind = kinds[node.func.id]
                    found[code.value] = (kind.family, kind.status, kind.exit_code)
    rows = [
        f"| `{code}` | {family} | {status} | {exit_code} |"
        for code, (family, status, exit_code) in sorted(found.items())
    ]
    return (
        "# Error codes\n\nStable, safe to branch on. Over HTTP an error is problem+json with `code`, `detail`, `hint` and `problems`.\n\n"
        "| code | family | HTTP status | exit code |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def hooks_page() -> str:
    """Every hook."""
    parts = ["# Hooks\n\nFunctions that a plugin defines, marked with `flagstone.sdk.hookimpl`.\n"]
    for name, function in inspect.getmembers(hooks, inspect.isfunction):
        if name.startswith("flagstone_"):
            signature = str(inspect.signature(function)).replace("'", "")
            parts.append(f"## {name}\n\n{inspect.cleandoc(function.__doc__ or '')}\n\n    def {name}{signature}\n")
    return "\n".join(parts)
