"""Pull requests that a step opened: found again by the mark in their text, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flagstone.builtin.github.base import hidden
from flagstone.builtin.github.hosts import Target


def opened_by(target: Target, branch: str, step_key: str) -> dict[str, Any] | None:
    """The pull request that this very step opened for a branch before it was interrupted, in whatever state."""
    for pull in target.api.get(f"{target.path}/pulls", state="all", head=f"{target.owner}:{branch}", per_page=20):
        if hidden(step_key) in str(pull.get("body")):
            return dict(pull)
    return None


def withdraw(target: Target, step_key: str, outputs: Mapping[str, Any], *, keep_branch: bool = False) -> None:
    """Close what the step opened, and delete its branch unless somebody has pushed to it."""
    number = outputs.get("pullRequestNumber")
    pull = target.api.find(f"{target.path}/pulls/{number}") if number else None
    if pull is None or pull["state"] != "open" or hidden(step_key) not in str(pull.get("body")):
        return
    target.api.send("PATCH", f"{target.path}/pulls/{number}", {"state": "closed"})
    if not keep_branch and pull["head"]["sha"] == outputs.get("commitHash"):
        target.api.remove(f"{target.path}/git/refs/heads/{pull['head']['ref']}")
