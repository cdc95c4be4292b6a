"""The reference page names every kind, field and relation."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagstone.builtin.kinds import BACKSTAGE_KINDS

PAGE = (Path(__file__).parents[5] / "docs" / "reference" / "kinds.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", BACKSTAGE_KINDS, ids=lambda kind: kind.name)
def test_the_page_of_kinds_is_complete(kind):
    part = PAGE.partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
    spec = kind.schema["properties"]["spec"]
    for name in spec["properties"]:
        assert f"| `{name}` | {'yes' if name in spec.get('required', []) else ''} |" in part
    for field in kind.relations:
        assert f"| `{field.forward}` | `{field.reverse}` | `{field.path}` |" in part
    assert all(f"`{version}`" in part for version in kind.api_versions)
