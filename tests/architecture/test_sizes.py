"""Small modules, small functions: measured, not wished for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "flagstone"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "tests" not in path.parts)


def name(path):
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_small_and_says_what_it_is_for(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 600
    assert ast.get_docstring(tree), "a module says what it is for"
    too_long = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = node.end_lineno - node.lineno + 1
            # A function that only makes routes is as long as its routes: those are counted one by one.
            inner = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            own -= sum(item.end_lineno - item.lineno + 1 for item in inner)
            # What a migration creates is a list, not logic.
            if own > 80 and "migrations" not in path.parts:
                too_long.append(f"{node.name} has {own} lines")
        if isinstance(node, ast.ClassDef):
            public = [
                item
                for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and not item.name.startswith("_")
            ]
            protocol = any("Protocol" in ast.unparse(base) for base in node.bases) or "Gateway" in node.name
            # The methods of a conformance suite are tests.
            if len(public) > 15 and not protocol and node.name != "NoPlatform" and "suites" not in path.parts:
                too_long.append(f"{node.name} has {len(public)} public methods")
    assert too_long == []


def test_imports_inside_functions_say_why():
    wrong = []
    for path in MODULES:
        lines = path.read_text().splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for item in ast.walk(node):
                if isinstance(item, ast.Import | ast.ImportFrom):
                    around = "\n".join(lines[max(0, item.lineno - 8) : item.lineno])
                    if "#" not in around and "import" not in (ast.get_docstring(node) or ""):
                        wrong.append(f"{name(path)}:{item.lineno}")
    assert wrong == []
