"""What Nunjucks 3.2.4 and the engine of Backstage 1.54 print alike is printed here, too.

The file holds results of both for some thousand templates: filters over every kind of value, tests, operators, precedence,
statements, white space. Left out is where they refuse or disagree with each other, and where this engine knowingly
differs: it counts characters and not UTF-16 units, and is lenient where they fail for a null or a number.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.templating import render_file

RECORDED = json.loads((Path(__file__).parent / "nunjucks.json").read_text("utf-8"))


def printed(template: str) -> str:
    try:
        return render_file(template, copy.deepcopy(RECORDED["context"]))
    except FlagstoneError as error:
        return f"refused: {error}"


def test_templates_print_what_nunjucks_prints() -> None:
    differing = {
        template: (expected, found)
        for template, expected in RECORDED["cases"]
        if (found := printed(template)) != expected
    }
    assert differing == {}
    assert len(RECORDED["cases"]) > 2000
