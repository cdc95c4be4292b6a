"""A running harness, closed at the end."""

from __future__ import annotations

import pytest

from flagstone.platform.runs.tests.harness import Harness


@pytest.fixture
def start(tmp_path):
    """Make harnesses that are stopped at the end; ``start(setting=value)``."""
    made = []

    def make(folder=None, **options):
        harness = Harness(folder or tmp_path / "data", **options)
        made.append(harness)
        return harness.start()

    yield make
    for harness in made:
        harness.stop()
