"""``flagstone templates lint|test|preview``: templates judged without a server, for editors and CI."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flagstone.kernel.errors import FlagstoneError, Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import Output, guard, session
from flagstone.toolkit.cli.plans import read_values, show_plan, types_of
from flagstone.toolkit.cli.session import AsJson, Token, Url
from flagstone.toolkit.yaml import Document, load_documents, read_yaml

if TYPE_CHECKING:
    from flagstone.entrypoints.workbench import Workbench
    from flagstone.portal.golden_paths import Case, Finding

_FORMATS = ("text", "github")
_NAMES = ("template.yaml", "template.yml")
_SKIPPED = frozenset({".git", "node_modules", ".venv", "__pycache__"})
_MAX_FILE = 2_000_000

Paths = Annotated[list[Path], typer.Argument(help="Templates, or folders that hold them (template.yaml).")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``templates``, which the slice of golden paths brings."""
    for group in app.registered_groups:
        if group.name == "templates" and group.typer_instance is not None:
            group.typer_instance.command("lint")(lint)
            group.typer_instance.command("test")(run_cases)
            group.typer_instance.command("preview")(preview)


def lint(
    paths: Paths,
    format_: Annotated[
        str, typer.Option("--format", help="text, or github for annotations in GitHub Actions.")
    ] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Check templates and their skeletons without a server: every problem, with file, line, path and what to do.

    Ends with 0 when all is well, with 2 when something is wrong.
    """
    with guard(as_json=as_json):
        if format_ not in _FORMATS:
            raise Invalid("templates.bad_format", f"There is no format {format_!r}.", hint="Use text or github.")
        files = [file for path in paths for file in template_files(path)]
        found = _lint(files)
    failed = any(item.severity == "error" or strict for item in found)
    if as_json:
        items = [{"severity": item.severity, "code": item.code, **item.problem.as_dict()} for item in found]
        Output(as_json=True).json({"valid": not failed, "templates": len(files), "findings": items})
    elif format_ == "github":
        from flagstone.entrypoints.catalog_files import annotation  # the catalog's commands are not always needed

        for item in found:
            typer.echo(annotation(item.severity, item.problem).replace("title=Catalog", "title=Template"))
    else:
        _print(found, len(files))
    if failed:
        raise typer.Exit(2)


def template_files(path: Path) -> list[Path]:
    """The templates at a path, in order. Raises Invalid when there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Invalid("templates.no_file", f"There is no file or folder {path}.")
    found = []
    for folder, below, names in os.walk(path):
        here = [Path(folder) / name for name in sorted(names) if name in _NAMES]
        # Below a template are its skeleton and what tests expect, which may hold files of that name, too.
        below[:] = [] if here else sorted(set(below) - _SKIPPED)
        found += here
    if not found:
        raise Invalid("templates.no_file", f"There is no template.yaml in {path}.", hint="Name the file itself.")
    return found


def _lint(files: Sequence[Path]) -> list[Finding]:
    # The whole application is built to know the actions of all plugins: slow, and needed by few commands.
    from flagstone.entrypoints.workbench import workbench
    from flagstone.portal.golden_paths import check_text

    found: list[Finding] = []
    with workbench([file.parent for file in files]) as bench:
        actions = bench.actions()
        for file in files:
            found += check_text(_text(file), _shown(file), actions, bench.fields)
            for document in _templates(file):
                found += _skeletons(file, document)
    return found


def _skeletons(file: Path, document: Document) -> Iterator[Finding]:
    """Folders and files beside the template that its steps read."""
    from flagstone.portal.golden_paths import Finding  # see _lint

    assert isinstance(document.value, dict)
    spec = document.value.get("spec")
    steps = spec.get("steps") if isinstance(spec, dict) else None
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        action, inputs = (step.get("action"), step.get("input")) if isinstance(step, dict) else (None, None)
        url = inputs.get("url") if isinstance(inputs, dict) else None
        if not str(action).startswith("fetch:") or not isinstance(url, str) or "${{" in url or "://" in url:
            continue
        if url.startswith(("../", "/")):
            continue  # the checker has said that it leads outside
        target, place = file.parent / url, ("spec", "steps", index, "input", "url")
        if not target.exists():
            line = document.line_of(place)
            yield Finding("error", "no_skeleton", f"there is no {url}", place, "", _shown(file), line)
        elif str(action).startswith("fetch:template") and isinstance(inputs, dict):
            yield from _rendered(target, inputs)


def _rendered(target: Path, inputs: Mapping[str, Any]) -> Iterator[Finding]:
    from flagstone.portal.golden_paths import Finding  # see _lint
    from flagstone.toolkit.files import GlobSet
    from flagstone.toolkit.templating import survey

    if inputs.get("cookiecutterCompat"):
        return
    raw = inputs.get("copyWithoutTemplating") or inputs.get("copyWithoutRender") or ()
    only = inputs.get("templateFileExtension")
    suffix = ".njk" if only is True else only if isinstance(only, str) else None
    untouched = GlobSet(tuple(str(item) for item in raw))
    for file in sorted(target.rglob("*")) if target.is_dir() else [target]:
        inner = file.relative_to(target).as_posix() if target.is_dir() else file.name
        if not file.is_file() or untouched.matches(inner) or (suffix and not file.name.endswith(suffix)):
            continue
        try:
            text = file.read_bytes()[:_MAX_FILE].decode()
        except UnicodeDecodeError:
            continue
        used = survey(text, file=True)
        if used.fault is not None:
            yield Finding(
                "error", "bad_file", f"this cannot be rendered: {used.fault}", (), _RAW, _shown(file), used.line
            )
        for name in used.unknown:
            yield Finding("error", "unknown_name", f"there is no {name}", (), _RAW, _shown(file), None)


_RAW = "Put what is not meant for the template between {% raw %} and {% endraw %}, or use copyWithoutTemplating."


def _print(found: Sequence[Finding], count: int) -> None:
    for item in found:
        where = f"{item.file}:{item.line}" if item.line else str(item.file)
        typer.secho(f"{where}: ", bold=True, nl=False)
        typer.secho(item.severity, fg="red" if item.severity == "error" else "yellow", nl=False)
        typer.echo(f": {item.place + ': ' if item.place else ''}{item.message}")
        if item.hint:
            typer.secho(f"    {item.hint}", dim=True)
    errors = sum(item.severity == "error" for item in found)
    words = f"{count} template{'' if count == 1 else 's'}, {errors} error{'' if errors == 1 else 's'}"
    typer.echo(f"{words}, {len(found) - errors} warnings.", err=True)


@dataclass
class _Outcome:
    template: str
    case: str
    faults: list[str] = field(default_factory=list)
    updated: bool = False


def run_cases(
    paths: Paths,
    update: Annotated[bool, typer.Option("--update", help="Write the golden folders as the files are now.")] = False,
    case: Annotated[str, typer.Option("--case", "-k", help="Only cases with this in their name.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Run the test cases of templates without a server: answers in, files and actions out. Nothing is executed.

    Cases are in `template.test.yaml` beside the template, or in `tests/*.yaml`. Ends with 0 or, when one fails, with 1.
    """
    with guard(as_json=as_json):
        files = [file for path in paths for file in template_files(path)]
        outcomes = _test(files, update=update, only=case)
        if not outcomes:
            raise Invalid(
                "templates.no_cases",
                "There is no test case.",
                hint="Write one into template.test.yaml beside the template; see the how-to page.",
            )
    failed = [item for item in outcomes if item.faults]
    if as_json:
        Output(as_json=True).json(
            {
                "passed": len(outcomes) - len(failed),
                "failed": len(failed),
                "cases": [
                    {"template": item.template, "case": item.case, "passed": not item.faults, "faults": item.faults}
                    for item in outcomes
                ],
            }
        )
    else:
        for item in outcomes:
            word, tone = (
                ("failed", "red") if item.faults else ("updated", "yellow") if item.updated else ("ok", "green")
            )
            typer.secho(f"{word:8}", fg=tone, nl=False)
            typer.echo(f"{item.template}: {item.case}")
            for fault in item.faults:
                typer.echo(f"        {fault}")
        typer.echo(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed.", err=True)
    if failed:
        raise typer.Exit(1)


def _test(files: Sequence[Path], *, update: bool, only: str) -> list[_Outcome]:
    from flagstone.entrypoints.workbench import workbench  # see _lint
    from flagstone.portal.golden_paths import read_cases

    chosen: list[tuple[Path, dict[str, Any], Path, Case]] = []
    for file in files:
        for document in _templates(file):
            assert isinstance(document.value, dict)
            for source in case_files(file):
                read = load_documents(_text(source), name=_shown(source))
                cases = read_cases(read[0].value if read else None, _shown(source))
                chosen += [(file, document.value, source, case) for case in cases if only.lower() in case.name.lower()]
    if not chosen:
        return []
    with workbench(sorted({file.resolve().parent for file, *_ in chosen})) as bench:
        return [_one(bench, *item, update=update) for item in chosen]


def case_files(file: Path) -> list[Path]:
    """Where the cases of a template stand: ``template.test.yaml`` and ``tests/*.yaml`` beside it."""
    own = [file.with_name(f"{file.stem}.test{suffix}") for suffix in (".yaml", ".yml")]
    return [*(path for path in own if path.is_file()), *sorted((file.parent / "tests").glob("*.y*ml"))]


def _one(
    bench: Workbench, file: Path, document: Mapping[str, Any], source: Path, case: Case, *, update: bool
) -> _Outcome:
    from flagstone.portal.golden_paths import golden_files, judge_case, judge_refusal  # see _lint

    outcome = _Outcome(_shown(file), case.name)
    try:
        plan = bench.plan(document, file, case.values, secrets=case.secrets, user=case.user, entities=case.entities)
    except FlagstoneError as error:
        reason = "; ".join([str(error), *(str(problem) for problem in error.problems)])
        outcome.faults = judge_refusal(case, reason)
        return outcome
    folder = source.parent / case.expect.golden if case.expect.golden else None
    if folder is not None and update and not plan.problems:
        outcome.updated = _write(folder, golden_files(plan))
    outcome.faults = judge_case(case, plan, _read(folder) if folder else None)
    return outcome


def _read(folder: Path) -> dict[str, str] | None:
    if not folder.is_dir():
        return None
    return {
        file.relative_to(folder).as_posix(): file.read_bytes().decode(errors="replace")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _write(folder: Path, files: Mapping[str, str]) -> bool:
    """Make the folder hold exactly these files; whether anything had to be changed."""
    before = _read(folder) or {}
    if before == dict(files):
        return False
    for path in before.keys() - files.keys():
        (folder / path).unlink()
    for path, text in files.items():
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise Invalid("templates.outside", f"{path} would be written outside of {folder}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return True


def preview(
    ref: Annotated[str, typer.Argument(help="A golden path of the server, or a template file or folder.")],
    input_: Annotated[
        list[str] | None, typer.Option("--input", help="Answer: name=value, repeatable; JSON for lists and objects.")
    ] = None,
    values: Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with answers.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do; nothing is changed. A file or folder is planned here, without a server."""
    with session(url, token, as_json) as here:
        if Path(ref).exists():
            plan = _preview_file(Path(ref), values, input_ or [])
        else:
            name = parse_ref(ref, default_kind="template")
            path = f"/api/v1/templates/{name.namespace}/{name.name}"
            pages = [step["schema"] for step in here.client.get(path)["steps"]]
            plan = here.client.post(f"{path}/plan", {"values": read_values(types_of(pages), values, input_ or [])})
        if as_json:
            here.out.json(plan)
        else:
            show_plan(here.out, plan)
    if plan["problems"] or not plan["allowed"]:
        raise typer.Exit(2)


def _preview_file(path: Path, values: Path | None, pairs: Sequence[str]) -> dict[str, Any]:
    from flagstone.entrypoints.workbench import workbench  # see _lint
    from flagstone.portal.golden_paths import unregistered

    (file, *_) = template_files(path)
    documents = _templates(file)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise Invalid("templates.no_file", f"{file} holds {len(documents)} templates.", hint="Name a file with one.")
    document = documents[0].value
    answers = read_values(types_of(unregistered(document, f"file:{file}").pages), values, pairs)
    with workbench([file.resolve().parent]) as bench:
        return bench.plan(document, file, answers).model_dump(mode="json")


def _templates(file: Path) -> list[Document]:
    read = read_yaml(_text(file), name=_shown(file))
    return [item for item in read.documents if isinstance(item.value, dict) and item.value.get("kind") == "Template"]


def _text(file: Path) -> str:
    try:
        return file.read_bytes()[:_MAX_FILE].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("templates.no_file", f"{file} cannot be read: {error}.") from error


def _shown(file: Path) -> str:
    """As people and GitHub know it: relative to the current folder when it is below it."""
    below = os.path.relpath(file)
    return str(file) if below.startswith("..") else below
