"""The skeletons that `flagstone dev` writes: their tests pass, in the state in which a person gets them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

RUN = """
import sys
import pytest
import flagstone.{room}
flagstone.{room}.__path__.append({folder!r})
sys.exit(pytest.main([{tests!r}, "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", {config!r}, "--rootdir", {root!r}]))
"""


def flagstone(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "flagstone", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_new_slice_has_tests_that_pass(tmp_path):
    room = tmp_path / "src" / "flagstone" / "portal"
    room.mkdir(parents=True)
    done = flagstone("dev", "new-slice", "widgets", "--room", "portal", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "app/slices.py" in done.stdout
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    code = RUN.format(
        room="portal",
        folder=str(room),
        tests=str(room / "widgets"),
        config=str(tmp_path / "pytest.ini"),
        root=str(tmp_path),
    )
    env = {**os.environ, "FLAGSTONE_TEST_BACKENDS": "sqlite"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_new_slice_never_overwrites_one(tmp_path):
    (tmp_path / "src" / "flagstone" / "portal").mkdir(parents=True)
    assert flagstone("dev", "new-slice", "widgets", cwd=tmp_path).returncode == 0
    again = flagstone("dev", "new-slice", "widgets", cwd=tmp_path)
    assert again.returncode == 5
    assert "exists already" in again.stderr
    assert flagstone("dev", "new-slice", "Bad Name", cwd=tmp_path).returncode == 2


def test_a_new_plugin_has_tests_that_pass(tmp_path):
    done = flagstone("dev", "new-plugin", "acme", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "flagstone-acme"
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
