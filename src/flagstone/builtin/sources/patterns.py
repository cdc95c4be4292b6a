"""What the sources share: glob patterns over relative paths, and what a folder stands for."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

CATALOG_FILES = ("catalog-info.yaml", "catalog-info.yml")
SKIPPED_FOLDERS = frozenset({".git", ".hg", "node_modules", ".venv", "__pycache__", "skeleton"})
"""Never looked into: a template's skeleton holds files that are not entities before a golden path has rendered them."""

MAX_FILES = 200_000
_MAX_SEGMENTS = 64


def is_glob(target: str) -> bool:
    """Whether a target names many files."""
    return any(char in target for char in "*?[")


def split_glob(target: str) -> tuple[str, str]:
    """The part before the first segment with a wild card, and the rest."""
    parts = target.split("/")
    for number, part in enumerate(parts):
        if is_glob(part):
            return "/".join(parts[:number]), "/".join(parts[number:])
    return target, ""


def matches(pattern: str, path: str) -> bool:
    """Whether a relative path matches; ``**`` stands for any number of folders."""
    return _match(tuple(pattern.split("/"))[:_MAX_SEGMENTS], tuple(path.split("/")))


def _match(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    reached = {0}
    for part in path:
        reached = _past_stars(reached, pattern)
        step: set[int] = set()
        for at in reached:
            if at < len(pattern):
                if pattern[at] == "**":
                    step.add(at)
                elif _segment(pattern[at]).match(part):
                    step.add(at + 1)
        reached = step
        if not reached:
            return False
    return len(pattern) in _past_stars(reached, pattern)


def _past_stars(reached: set[int], pattern: tuple[str, ...]) -> set[int]:
    found = set(reached)
    for at in range(len(pattern)):
        if at in found and pattern[at] == "**":
            found.add(at + 1)
    return found


@lru_cache(maxsize=512)
def _segment(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def catalog_files(paths: Iterable[str]) -> list[str]:
    """What a folder stands for: its own ``catalog-info.yaml``, else every one below it."""
    found = sorted(path for path in paths if path.rpartition("/")[2] in CATALOG_FILES)
    own = [path for path in found if "/" not in path]
    return own[:1] or found
