"""The drawing in ARCHITECTURE.md stays true: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "flagstone"


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("flagstone", cache_dir=None)


def test_the_import_contracts_are_kept():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]


def slice_of(module):
    parts = module.split(".")
    if len(parts) >= 3 and parts[1] in ("portal", "platform", "foundation"):
        return ".".join(parts[:3])
    return None


def test_another_slice_is_imported_only_through_its_facade(graph):
    wrong = []
    for module in graph.modules:
        if ".tests" in module:
            continue
        home = slice_of(module)
        for imported in graph.find_modules_directly_imported_by(module):
            target = slice_of(imported)
            if target is None or target == home or imported == target or module.startswith("flagstone.testing"):
                continue
            wrong.append(f"{module} -> {imported}")
    assert sorted(wrong) == []


def test_slices_are_listed_in_the_composition_root_only():
    import flagstone.app.slices as lists

    names = {*lists.PORTAL, *lists.PLATFORM}
    wrong = []
    for path in SOURCE.rglob("*.py"):
        if path.parts[-2:] == ("app", "slices.py") or "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                found = {item.value for item in node.elts if isinstance(item, ast.Constant) and item.value in names}
                if len(found) >= 3:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {sorted(found)}")
    assert wrong == []


@pytest.mark.parametrize(("room", "other"), [("portal", "platform"), ("platform", "portal")])
def test_a_room_started_alone_does_not_load_the_other(room, other, tmp_path):
    code = (
        "import sys\n"
        "from flagstone.app.build import build\n"
        "from flagstone.app.rooms import load_settings\n"
        f"app = build(load_settings(None, environ={{}}, overrides={{'server.data_dir': {str(tmp_path)!r}}}), {room!r})\n"
        f"print([name for name in sys.modules if name.startswith('flagstone.{other}.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "[]"


def test_a_process_that_parses_documents_loads_neither_web_nor_database(tmp_path):
    code = (
        "import sys; import flagstone.portal.catalog.service.parsing\n"
        "print([name for name in ('fastapi', 'sqlalchemy', 'jinja2') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_facade_that_loads_lazily_names_what_it_has_not():
    import flagstone.portal.catalog as catalog

    assert {name for name in catalog.__all__ if getattr(catalog, name) is None} == set()
    with pytest.raises(AttributeError, match=r"flagstone\.portal\.catalog.*'Nothing'"):
        getattr(catalog, "Nothing")  # noqa: B009
