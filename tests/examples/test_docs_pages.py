"""The pages under docs/ hang together: links lead somewhere, and the files they show are correct."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(path for folder in ("tutorial", "how-to", "explanation") for path in (DOCS / folder).glob("*.md"))
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of one language."""
    return [code for name, code in FENCE.findall(page.read_text()) if name == language]


@pytest.mark.parametrize("page", [DOCS / "index.md", *PAGES], ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_the_front_page_links_every_guide() -> None:
    front = (DOCS / "index.md").read_text()
    assert [page.name for page in PAGES if f"({page.relative_to(DOCS).as_posix()})" not in front] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_and_toml_that_is_shown_can_be_read(page: Path) -> None:
    for code in blocks(page, "yaml"):
        assert list(yaml.safe_load_all(code))
    for code in blocks(page, "toml"):
        assert tomllib.loads(code)


def test_the_golden_path_guide_shows_a_whole_template() -> None:
    envelope, parameters, steps, repeated = blocks(DOCS / "how-to" / "write-a-golden-path.md", "yaml")
    template = yaml.safe_load(envelope + parameters + steps)
    assert [step["action"] for step in template["spec"]["steps"]] == [
        "fetch:template",
        "publish:git",
        "catalog:register",
        "flagstone:deploy",
    ]
    assert yaml.safe_load(repeated)[0]["each"]
