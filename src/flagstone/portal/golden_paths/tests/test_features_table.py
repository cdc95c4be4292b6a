"""The table of template features says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flagstone.portal.golden_paths.model import checking
from flagstone.toolkit.templating.survey import KNOWN_FILTERS
from flagstone.toolkit.web.forms.widgets import FIELDS

TABLE = Path(__file__).parents[5] / "docs" / "reference" / "template-features.md"
ROWS = re.findall(
    r"^\| (.+?) \| (supported|warned|refused)((?: `\w+`)?) \| (.*?) ?\|$", TABLE.read_text(), re.MULTILINE
)
SOURCE = "".join(path.read_text() for path in Path(checking.__file__).parent.glob("*.py"))
FOUND = set(re.findall(r'(?:error|warning|warn)\(\s*"(\w+)"', SOURCE))


def test_every_line_of_the_table_says_whether_it_works():
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    heads = [line for line in lines if "| state |" in line or line.startswith("| ---")]
    assert len(ROWS) == len(lines) - len(heads)
    assert len(ROWS) > 50


def test_every_code_in_the_table_is_one_of_the_checker():
    codes = {code.strip(" `") for _, _, code, _ in ROWS if code}
    codes |= {code for _, _, _, text in ROWS for code in re.findall(r"(?:refused|warned) ((?:`\w+`(?:, )?)+)", text)}
    named = {name for text in codes for name in re.findall(r"\w+", text)}
    assert named - FOUND == set()


@pytest.mark.parametrize("code", sorted({"unknown_action", "bad_reference", "outside", "form_decorators"}))
def test_what_the_checker_refuses_is_in_the_table(code):
    assert f"`{code}`" in TABLE.read_text()


def test_every_field_and_filter_is_in_the_table():
    text = TABLE.read_text()
    assert [name for name in FIELDS if f"| `{name}` | supported" not in text] == []
    assert [name for name in KNOWN_FILTERS if f"`{name}`" not in text] == []
