"""The folders of runs and plans."""

from __future__ import annotations

from flagstone.platform.runs.service.workspaces import Workspaces


def test_a_plan_that_is_made_while_the_engine_starts_keeps_its_files(tmp_path):
    workspaces = Workspaces(tmp_path)
    left = tmp_path / ".plan-of-a-killed-process" / "files"
    left.mkdir(parents=True)
    with workspaces.throw_away() as workspace:
        workspace.files.write("part/file.txt", "rendered")
        workspaces.sweep()
        assert workspace.files.read_text("part/file.txt") == "rendered"
    assert list(tmp_path.iterdir()) == []
