"""The sources of the web assets and the command that builds them."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]
FRONTEND = ROOT / "frontend"


@pytest.fixture
def hatch_build():
    """The build hook, loaded as hatchling loads it."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path):
    """A checkout with sources and no assets."""
    (tmp_path / "frontend/src").mkdir(parents=True)
    (tmp_path / "frontend/package.json").write_text("{}")
    (tmp_path / "frontend/src/kit.js").write_text("let a;")
    return tmp_path


def build(hatch_build, root):
    static = root / hatch_build.STATIC
    static.mkdir(parents=True, exist_ok=True)
    (static / "manifest.json").write_text("{}")
    (static / "sources.txt").write_text(hatch_build.sources_digest(root / "frontend") + "\n")


def test_the_lock_file_names_no_download_address():
    assert '"resolved"' not in (FRONTEND / "package-lock.json").read_text()


def test_every_npm_package_is_pinned_exactly():
    package = json.loads((FRONTEND / "package.json").read_text())
    versions = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    assert versions["htmx.org"] == "4.0.1"


def test_every_icon_that_a_template_or_module_names_is_built():
    icons = set(json.loads((FRONTEND / "icons.json").read_text()))
    assert icons == set(json.loads((ROOT / "src/flagstone/toolkit/web/static/manifest.json").read_text())["icons"])
    named = set()
    for path in (ROOT / "src/flagstone").rglob("*.html"):
        named |= {(name, path.name) for name in re.findall(r"""\bicon\("([a-z0-9-]+)\"""", path.read_text())}
    assert {pair for pair in named if pair[0] not in icons} == set()


def test_missing_assets_are_built(hatch_build, checkout):
    assert not hatch_build.assets_are_current(checkout)


def test_assets_of_these_sources_are_not_built_again(hatch_build, checkout):
    build(hatch_build, checkout)
    assert hatch_build.assets_are_current(checkout)


def test_changed_sources_are_built_again(hatch_build, checkout):
    build(hatch_build, checkout)
    (checkout / "frontend/src/kit.js").write_text("let b;")
    assert not hatch_build.assets_are_current(checkout)


def test_an_sdist_brings_its_assets_along(hatch_build, checkout):
    build(hatch_build, checkout)
    (checkout / "PKG-INFO").write_text("Name: flagstone")
    (checkout / "frontend/src/kit.js").write_text("let b;")
    assert hatch_build.assets_are_current(checkout)


def test_a_failing_step_tells_the_end_of_its_output(hatch_build, checkout):
    (checkout / "frontend/package-lock.json").write_text("{}")
    (checkout / "frontend/node_modules").mkdir()
    (checkout / "frontend/node_modules/.package-lock.json").write_text("{}")
    with pytest.raises(RuntimeError, match=r"(?s)node build\.mjs failed in .*frontend.*Cannot find module"):
        hatch_build.build_assets(checkout)


def test_licences_of_other_peoples_work_are_shipped():
    static = ROOT / "src/flagstone/toolkit/web/static"
    text = next(static.glob("licences.*.txt")).read_text()
    for name in ("htmx.org", "lucide-static", "@fontsource-variable/geist", "ISC", "SIL OPEN FONT LICENSE"):
        assert name.lower() in text.lower()
