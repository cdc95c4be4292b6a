"""``flagstone catalog validate``: entity files judged without a server, for editors and CI."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flagstone.kernel.errors import Invalid, Problem
from flagstone.toolkit.cli import Output, guard

if TYPE_CHECKING:
    from flagstone.portal.catalog import Verdict

_FORMATS = ("text", "github")


def register(app: typer.Typer) -> None:
    """Add ``catalog``."""
    catalog = typer.Typer(help="Files of the catalog.", no_args_is_help=True)
    # With a callback, so that the one command keeps its name.
    catalog.callback()(_group)
    catalog.command("validate")(validate)
    app.add_typer(catalog, name="catalog")


def _group() -> None:
    """Files of the catalog."""


def validate(
    paths: Annotated[list[str], typer.Argument(help="Files, folders (their catalog-info.yaml files) or patterns.")],
    kinds: Annotated[list[Path] | None, typer.Option("--kinds", help="File that declares a kind; repeatable.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="text, or github for annotations in GitHub Actions.")
    ] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Check entity files without a server: every problem at once, with file, line, field and how to mend it.

    Ends with 0 when all is well, with 2 when something is wrong.
    """
    with guard(as_json=as_json):
        if format_ not in _FORMATS:
            raise Invalid("validate.bad_format", f"There is no format {format_!r}.", hint="Use text or github.")
        verdict = _judge(paths, [str(file) for file in kinds or ()])
    failed = bool(verdict.errors or (strict and verdict.warnings))
    found = [("error", item) for item in verdict.errors] + [("warning", item) for item in verdict.warnings]
    shown = [(level, _shown(item)) for level, item in found]
    if as_json:
        problems = [{"level": level, **item.as_dict()} for level, item in shown]
        Output(as_json=True).json({"valid": not failed, "entities": verdict.entities, "problems": problems})
    elif format_ == "github":
        for level, item in shown:
            typer.echo(annotation(level, item))
    else:
        _print(shown, verdict.entities)
    if failed:
        raise typer.Exit(2)


def _judge(paths: Sequence[str], kinds: Sequence[str]) -> Verdict:
    # The catalog and its libraries would slow every other command, and nothing else here needs them.
    from flagstone.builtin.kinds import BACKSTAGE_KINDS
    from flagstone.builtin.sources import FileSource
    from flagstone.portal.catalog import judge
    from flagstone.sdk import PROJECT, hooks
    from flagstone.toolkit.plugins import PluginHost

    host = PluginHost(PROJECT, hooks)
    host.discover()
    others = [kind for found in host.call("flagstone_register_entity_kinds") for kind in found.value]
    targets = [os.path.normpath(Path.cwd() / path) for path in paths]
    return judge(targets, [*BACKSTAGE_KINDS, *others], kinds, FileSource())


def _shown(problem: Problem) -> Problem:
    """The same with the file as people and GitHub know it: relative to the current folder when it is below it."""
    if problem.file is None:
        return problem
    below = os.path.relpath(problem.file)
    file = problem.file if below.startswith("..") else below
    return Problem(problem.message, file, problem.line, problem.field, problem.hint)


def annotation(level: str, problem: Problem) -> str:
    """A workflow command of GitHub Actions; what could end a line or a property is escaped."""
    text = f"{problem.message} {problem.hint}" if problem.hint else problem.message
    if problem.field:
        text = f"{problem.field}: {text}"
    where: dict[str, Any] = {"file": problem.file, "line": problem.line, "title": "Catalog"}
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in where.items() if value is not None)
    return f"::{level} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _print(found: Sequence[tuple[str, Problem]], entities: int) -> None:
    for level, item in found:
        where = f"{item.file or '?'}:{item.line}" if item.line else item.file or "?"
        typer.secho(f"{where}: ", bold=True, nl=False)
        typer.secho(level, fg="red" if level == "error" else "yellow", nl=False)
        typer.echo(f": {f'{item.field}: ' if item.field else ''}{item.message}")
        if item.hint:
            typer.secho(f"    {item.hint}", dim=True)
    errors = sum(level == "error" for level, _ in found)
    summary = f"{entities} valid {'entity' if entities == 1 else 'entities'}, {errors} "
    typer.echo(f"{summary}{'error' if errors == 1 else 'errors'}, {len(found) - errors} warnings.", err=True)
