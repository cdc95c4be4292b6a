"""Loading, merging, validating and explaining."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from flagstone.kernel.errors import Invalid, Problem

PREFIX = "FLAGSTONE_"
_OTHERS = frozenset(
    {
        "FLAGSTONE_CONFIG",
        "FLAGSTONE_SKIP_UI",
        "FLAGSTONE_BOOTSTRAP_TOKEN_FILE",
        "FLAGSTONE_TRACE_PLUGINS",
        "FLAGSTONE_URL",
        "FLAGSTONE_TOKEN",
        "FLAGSTONE_TEST_BACKENDS",
    }
)
"""Variables with a meaning of their own, documented in the reference; the rest of the prefix is settings."""

T = TypeVar("T", bound=BaseModel)


class SettingsModel(BaseModel):
    """Base of a section. A docstring under each field is its help; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def helps_of(model: type[BaseModel]) -> dict[str, str]:
    """What each field is for: its description, else the docstring under it.

    The docstrings are looked up in the source when somebody asks, since doing so at each start would take longer than
    all else that is done with settings.
    """
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not issubclass(one, BaseModel) or one is BaseModel:
            continue
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
        for field, under in itertools.pairwise(tree.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(under, ast.Expr):
                text = under.value.value if isinstance(under.value, ast.Constant) else None
                if isinstance(text, str):
                    found[field.target.id] = text
    found |= {name: info.description for name, info in model.model_fields.items() if info.description}
    return {name: " ".join(text.split()) for name, text in found.items() if name in model.model_fields}


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting: what it is now, where that came from, what it is for."""

    key: str
    value: str
    source: str
    help: str
    variable: str


class Settings:
    """The raw tree and the sections read from it so far."""

    def __init__(self, values: dict[str, Any], sources: dict[str, str], file: Path | None, text: str) -> None:
        self._values = values
        self._sources = sources
        self._file = file
        self._lines = text.splitlines()
        self._models: dict[str, BaseModel] = {}

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Read file, environment and command line (``overrides`` by dotted key), later ones winning.

        Raises Invalid naming the file and line of a fault.
        """
        environ = os.environ if environ is None else environ  # noqa: TID251  the one place
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        text = ""
        if file is not None:
            text = _read(file)
            try:
                values = tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                raise Invalid(
                    "settings.broken_file",
                    f"{file} is not valid TOML.",
                    hint="Mend the line and start again.",
                    problems=[Problem(str(error), file=str(file), line=_line_of_error(str(error)))],
                ) from error
            for key in _leaves(values):
                sources[key] = f"{file}:{_find_line(text.splitlines(), key) or '?'}"
        for name in sorted(environ):
            if name.startswith(PREFIX) and name not in _OTHERS:
                key, value = _from_variable(name, environ[name])
                _put(values, key, value)
                sources[key] = name
        for key, value in (overrides or {}).items():
            _put(values, key, value)
            sources[key] = "command line"
        return cls(values, sources, file, text)

    def section(self, name: str, model: type[T]) -> T:
        """The validated section ``name``. Raises Invalid listing every fault with file and line or variable."""
        if name in self._models:
            found = self._models[name]
            if isinstance(found, model):
                return found
        raw = self._values.get(name, {})
        if not isinstance(raw, dict):
            raise Invalid("settings.not_a_section", f"[{name}] must be a section in {self._file}.")
        try:
            section = model.model_validate(raw)
        except ValidationError as error:
            raise self._invalid(name, error) from error
        self._models[name] = section
        return section

    def value(self, key: str) -> Any:
        """A raw value by dotted key, None when it is not set: for those that must not load a section of another
        room.
        """
        found: Any = self._values
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def check_unknown(self, elsewhere: Collection[str] = ()) -> None:
        """Raise Invalid when there are sections that nothing reads: almost always a typing error.

        ``elsewhere`` names those that another process reads from the same file.
        """
        unknown = sorted(set(self._values) - set(self._models) - set(elsewhere))
        if unknown:
            known = ", ".join(sorted(self._models))
            raise Invalid(
                "settings.unknown_section",
                "Unknown settings.",
                hint=f"Known sections: {known}. `flagstone config explain` lists every setting.",
                problems=[
                    Problem("no such section", file=self._where(name), line=self._line(name), field=name)
                    for name in unknown
                ],
            )

    def explain(self) -> list[Explained]:
        """Every setting of every section read so far, in order. Secrets are shown as set or not set."""
        rows: list[Explained] = []
        for name, model in sorted(self._models.items()):
            helps = helps_of(type(model))
            for field in type(model).model_fields:
                key = f"{name}.{field}"
                value = getattr(model, field)
                shown = (
                    ("(set)" if value.get_secret_value() else "(not set)") if isinstance(value, SecretStr) else value
                )
                rows.append(
                    Explained(
                        key,
                        _show(shown),
                        self._source(key),
                        helps.get(field, ""),
                        PREFIX + name.upper() + "__" + field.upper(),
                    )
                )
        return rows

    def _invalid(self, name: str, error: ValidationError) -> Invalid:
        problems = []
        for fault in error.errors(include_url=False, include_input=False):
            key = ".".join([name, *(str(part) for part in fault["loc"])])
            message = "no such setting" if fault["type"] == "extra_forbidden" else fault["msg"]
            problems.append(Problem(message, file=self._where(key), line=self._line(key), field=key))
        return Invalid(
            "settings.invalid",
            f"The settings in section [{name}] are not valid.",
            hint="`flagstone config explain` lists every setting with its meaning.",
            problems=problems,
        )

    def _where(self, key: str) -> str | None:
        source = self._source(key)
        if source.startswith(PREFIX) or source == "command line":
            return source
        return str(self._file) if self._file else None

    def _line(self, key: str) -> int | None:
        return _find_line(self._lines, key)

    def _source(self, key: str) -> str:
        for known, source in self._sources.items():
            if known == key or known.startswith(key + ".") or key.startswith(known + "."):
                return source
        return "default"


def _show(value: object) -> str:
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return json.dumps(value, default=str)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("settings.unreadable_file", f"{file} cannot be read: {error}.") from error


def _from_variable(name: str, text: str) -> tuple[str, Any]:
    path = name[len(PREFIX) :].lower().split("__")
    if len(path) >= 2 and path[-1].endswith("_file") and len(path[-1]) > len("_file"):
        key = ".".join([*path[:-1], path[-1][: -len("_file")]])
        try:
            return key, Path(text).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Invalid(
                "settings.unreadable_secret", f"{name} names {text}, which cannot be read: {error}."
            ) from error
    if text[:1] in "[{":
        try:
            return ".".join(path), json.loads(text)
        except ValueError as error:
            raise Invalid("settings.bad_variable", f"{name} looks like JSON but is not: {error}.") from error
    return ".".join(path), text


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            raise Invalid("settings.not_a_section", f"{part} is a value, but {key} needs it to be a section.")
        tree = branch
    tree[last] = value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append(prefix + key)
    return found


def _find_line(lines: list[str], key: str) -> int | None:
    """The line that sets a dotted key: TOML parsers in the standard library keep no positions."""
    section, wanted = "", key.split(".")
    best: int | None = None
    for number, line in enumerate(lines, 1):
        head = re.match(r"\s*\[+\s*([\w.\"'-]+)\s*\]+", line)
        if head:
            section = head.group(1)
            if section == key or key.startswith(section + "."):
                best = number
            continue
        pair = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if pair:
            full = (f"{section}." if section else "") + pair.group(1)
            if full == key or key.startswith(full + ".") or wanted[: len(full.split("."))] == full.split("."):
                return number
    return best


def _line_of_error(text: str) -> int | None:
    found = re.search(r"at line (\d+)", text)
    return int(found.group(1)) if found else None
