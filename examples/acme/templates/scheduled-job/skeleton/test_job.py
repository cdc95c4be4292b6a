"""Run with: python -m unittest"""

from __future__ import annotations

import unittest

import job


class JobTest(unittest.TestCase):
    """The work, without the schedule."""

    def test_baskets_idle_for_longer_than_the_limit_are_removed(self) -> None:
        self.assertEqual(job.report(job.SAMPLE, limit_days=30), {"checked": 3, "keep": 1, "remove": 2})

    def test_nothing_to_do_is_a_success(self) -> None:
        self.assertEqual(job.report([], limit_days=30), {"checked": 0, "keep": 0, "remove": 0})


if __name__ == "__main__":
    unittest.main()
