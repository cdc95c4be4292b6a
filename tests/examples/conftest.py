"""What the tests of the example organisation share: its entities, and a renderer for golden path skeletons.

The renderer stands in for the product's template engine on purpose: these tests check the example files, not the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minijinja
import pytest
import yaml

ACME = Path(__file__).resolve().parents[2] / "examples" / "acme"

Entity = dict[str, Any]
Render = Callable[[Path, Path, dict[str, Any]], None]


def documents(path: Path) -> list[Entity]:
    """All YAML documents of one file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


def reached_files() -> list[Path]:
    """The files that the root Location names."""
    (root,) = documents(ACME / "catalog-info.yaml")
    return sorted({path for target in root["spec"]["targets"] for path in ACME.glob(target.removeprefix("./"))})


@pytest.fixture(scope="session")
def acme() -> Path:
    """The folder of the example organisation."""
    return ACME


@pytest.fixture(scope="session")
def entities() -> list[tuple[Path, Entity]]:
    """Every entity of the example organisation with the file it is in."""
    return [(path, entity) for path in [ACME / "catalog-info.yaml", *reached_files()] for entity in documents(path)]


@pytest.fixture(scope="session")
def render() -> Render:
    """Copy a skeleton folder to a target folder with every file rendered; an unknown value is an error."""
    environment = minijinja.Environment(  # type: ignore[call-overload]  # its stubs do not know semi_strict
        variable_start_string="${{",
        variable_end_string="}}",
        undefined_behavior="semi_strict",
        keep_trailing_newline=True,
        auto_escape_callback=lambda _name: False,
        filters={"dump": lambda value: json.dumps(value, ensure_ascii=False)},
    )

    def render_folder(source: Path, target: Path, values: dict[str, Any]) -> None:
        for path in sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir():
                copy.mkdir(parents=True, exist_ok=True)
            elif "__pycache__" not in path.parts:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(environment.render_str(path.read_text(), str(path), values=values))

    return render_folder
