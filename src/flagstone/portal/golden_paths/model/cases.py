"""Test cases of a template: answers, and what has to come of them. Pure: the plan is made by whoever runs them.

The cases stand in ``template.test.yaml`` beside the template, or in ``tests/*.yaml``::

    cases:
      - name: A service of the checkout team
        values: {name: basket, owner: group:default/checkout}
        expect:
          golden: goldens/basket
          files: {app.py: {contains: [basket]}, Dockerfile: false}
          steps: {publish: {input: {defaultBranch: main}}}
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flagstone.contracts.plans import Plan, PlannedFile
from flagstone.kernel.errors import Invalid, Problem

_MAX_DIFF = 40


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileExpectation(_Strict):
    """What a file has to be like."""

    exact: str | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    executable: bool | None = None


class StepExpectation(_Strict):
    """What a step has to be like. ``input`` and ``output`` need to hold what is said, not more."""

    action: str | None = None
    skipped: bool | None = None
    input: dict[str, Any] = Field(default_factory=dict)
    output: dict[str, Any] = Field(default_factory=dict)


class Expectation(_Strict):
    """What has to come of a case."""

    golden: str | None = None
    """Folder, beside the file of the cases, that holds every file as it has to be; ``--update`` writes it."""
    files: dict[str, FileExpectation | str | bool] = Field(default_factory=dict)
    """By path: an expectation, the whole text, or whether there is such a file (the path may be a pattern then)."""
    steps: dict[str, StepExpectation] = Field(default_factory=dict)
    changes: tuple[dict[str, str], ...] = ()
    """Repositories, entities and others; each has to be among those of the plan."""
    output: dict[str, Any] = Field(default_factory=dict)
    links: tuple[dict[str, Any], ...] = ()
    refused: str | bool | None = None
    """Part of the reason why it must not run; true for any reason."""


class Case(_Strict):
    """One case."""

    name: str = Field(min_length=1, max_length=200)
    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    user: str | None = None
    """Entity ref of who fills it in."""
    entities: tuple[dict[str, Any], ...] = ()
    """What the catalog holds, for steps that ask it."""
    expect: Expectation = Expectation()


class _File(_Strict):
    cases: tuple[Case, ...] = Field(min_length=1)


def read_cases(document: Any, file: str) -> list[Case]:
    """The cases of a file. Raises Invalid (``golden_paths.bad_cases``) with every fault."""
    try:
        found = _File.model_validate(document)
    except ValidationError as error:
        problems = [
            Problem(str(item["msg"]), file=file, field=".".join(str(part) for part in item["loc"]))
            for item in error.errors()
        ]
        raise Invalid(
            "golden_paths.bad_cases",
            f"{file} does not hold test cases as they are written.",
            hint="See the how-to page on testing templates.",
            problems=problems,
        ) from error
    names = [case.name for case in found.cases]
    if len(set(names)) < len(names):
        raise Invalid("golden_paths.bad_cases", f"Two cases in {file} have the same name.")
    return list(found.cases)


def golden_files(plan: Plan) -> dict[str, str]:
    """The files of a plan as a golden folder holds them; of binary ones only the size."""
    return {
        file.path if file.text is not None else f"{file.path}.binary": file.text
        if file.text is not None
        else f"{file.size} bytes\n"
        for file in plan.files
        if file.op != "delete"
    }


def judge_case(case: Case, plan: Plan, golden: Mapping[str, str] | None) -> list[str]:
    """What is not as expected, in words. ``golden`` are the files of the golden folder, None when there is none."""
    wanted = case.expect
    if wanted.refused:
        return _refusal(wanted.refused, "; ".join(plan.problems))
    if plan.problems:
        return [f"it would fail: {text}" for text in plan.problems]
    found = [*_files(wanted, plan), *_steps(wanted, plan), *_changes(wanted, plan)]
    if wanted.golden is not None:
        found += _golden(plan, golden, wanted.golden)
    fault = _within(wanted.output, plan.output, "output")
    found += [fault] if fault else []
    links = plan.output.get("links")
    for link in wanted.links:
        if not any(_within(link, item, "") is None for item in (links if isinstance(links, list) else [])):
            found.append(f"there is no link {link}; there are {links}")
    return found


def judge_refusal(case: Case, reason: str) -> list[str]:
    """The same for answers that were refused before there was a plan."""
    wanted = case.expect.refused
    return _refusal(wanted, reason) if wanted else [f"it was refused: {reason}"]


def _refusal(wanted: str | bool, reason: str) -> list[str]:
    if not reason:
        return ["it was expected to be refused, but it would run"]
    if isinstance(wanted, str) and wanted.lower() not in reason.lower():
        return [f"it was refused, but not because of {wanted!r}: {reason}"]
    return []


def _files(wanted: Expectation, plan: Plan) -> Iterator[str]:
    by_path = {file.path: file for file in plan.files if file.op != "delete"}
    for path, rule in wanted.files.items():
        if isinstance(rule, bool):
            fitting = [known for known in by_path if fnmatch.fnmatchcase(known, path)]
            if bool(fitting) is not rule:
                yield f"{path}: there is no such file" if rule else f"{path}: there is {', '.join(fitting[:5])}"
            continue
        file = by_path.get(path)
        if file is None:
            close = difflib.get_close_matches(path, list(by_path), 3, 0.5)
            yield f"{path}: there is no such file{'; there is ' + ', '.join(close) if close else ''}"
            continue
        yield from _file(path, rule, file)


def _file(path: str, rule: FileExpectation | str, file: PlannedFile) -> Iterator[str]:
    expected = FileExpectation(exact=rule) if isinstance(rule, str) else rule
    text = file.text
    if text is None and (expected.exact is not None or expected.contains or expected.lacks):
        yield f"{path}: it is not text"
        return
    if expected.exact is not None and text != expected.exact:
        yield f"{path}: it is another text\n{_difference(expected.exact, text or '')}"
    yield from (f"{path}: it does not contain {part!r}" for part in expected.contains if part not in (text or ""))
    yield from (f"{path}: it contains {part!r}" for part in expected.lacks if part in (text or ""))
    if expected.executable is not None and file.executable is not expected.executable:
        yield f"{path}: it is {'' if file.executable else 'not '}executable"


def _golden(plan: Plan, golden: Mapping[str, str] | None, folder: str) -> Iterator[str]:
    if golden is None:
        yield f"there is no folder {folder} yet; --update writes it"
        return
    found = golden_files(plan)
    for path in sorted({*found, *golden}):
        if path not in golden:
            yield f"{path}: it is not in {folder}"
        elif path not in found:
            yield f"{path}: it is in {folder}, but was not written"
        elif found[path] != golden[path]:
            yield f"{path}: it is not as in {folder}\n{_difference(golden[path], found[path])}"


def _difference(wanted: str, found: str) -> str:
    lines = list(difflib.unified_diff(wanted.splitlines(), found.splitlines(), "expected", "found", lineterm="", n=2))
    more = [f"... and {len(lines) - _MAX_DIFF} lines more"] if len(lines) > _MAX_DIFF else []
    return "\n".join(f"    {line}" for line in [*lines[:_MAX_DIFF], *more]) or "    only line ends differ"


def _steps(wanted: Expectation, plan: Plan) -> Iterator[str]:
    for ident, rule in wanted.steps.items():
        step = next((item for item in plan.steps if item.id == ident), None)
        if step is None:
            yield f"step {ident}: there is none; there are {', '.join(item.id for item in plan.steps)}"
            continue
        if rule.action is not None and step.action != rule.action:
            yield f"step {ident}: its action is {step.action}"
        if rule.skipped is not None and step.skipped is not rule.skipped:
            yield f"step {ident}: it is {'' if step.skipped else 'not '}skipped"
        for part, expected, actual in (("input", rule.input, step.inputs), ("output", rule.output, step.outputs)):
            fault = _within(expected, actual, f"step {ident}, {part}")
            if fault:
                yield fault


def _changes(wanted: Expectation, plan: Plan) -> Iterator[str]:
    known = [change.model_dump() for step in plan.steps for change in step.changes]
    for rule in wanted.changes:
        if not any(all(str(change.get(key)) == value for key, value in rule.items()) for change in known):
            subjects = ", ".join(f"{change['op']} {change['kind']} {change['subject']}" for change in known)
            yield f"there is no change {rule}; there are: {subjects or 'none'}"


def _within(wanted: Any, found: Any, where: str) -> str | None:  # noqa: PLR0911  one per shape
    """Whether everything that is wanted is there; lists have to be of the same length."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return f"{where} is {found!r:.200}" if wanted else None
        for key, item in wanted.items():
            if key not in found:
                return f"{where}.{key} is not there"
            fault = _within(item, found[key], f"{where}.{key}")
            if fault:
                return fault
        return None
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        if len(wanted) != len(found):
            return f"{where} has {len(found)} entries, not {len(wanted)}"
        pairs = enumerate(zip(wanted, found, strict=True))
        return next((fault for at, (one, two) in pairs if (fault := _within(one, two, f"{where}[{at}]"))), None)
    return None if wanted == found else f"{where} is {found!r:.200}, not {wanted!r:.200}"
