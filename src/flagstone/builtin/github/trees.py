"""Branches, trees and blobs of a repository on GitHub, through its API, without a clone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from flagstone.builtin.github.hosts import Target
from flagstone.builtin.github.merging import Blobs, mode_of
from flagstone.kernel.errors import Conflict, Invalid

_INLINE = 500_000


def find_ref(target: Target, branch: str) -> dict[str, Any] | None:
    """What a branch points to; None when it is not there, or the repository is empty."""
    try:
        return target.api.find(f"{target.path}/git/ref/heads/{branch}")
    except Conflict:  # how GitHub says that the repository is empty
        return None


def blobs_of(target: Target, tree: str) -> Blobs:
    """All files of a tree. Raises Invalid for one that is too large to be listed."""
    found = target.api.get(f"{target.path}/git/trees/{tree}", recursive=1)
    if found.get("truncated"):
        raise Invalid(
            "github.too_many_files",
            f"{target.subject} has more files than {target.api.host.host} lists at once.",
            hint="Change it with git instead.",
        )
    return {item["path"]: (item["sha"], item["mode"]) for item in found["tree"] if item["type"] == "blob"}


def entries(target: Target, changed: Mapping[str, tuple[bytes, bool] | None]) -> list[dict[str, Any]]:
    """Entries of a new tree; None deletes. What is no short text is sent as a blob of its own before."""
    found: list[dict[str, Any]] = []
    for path, content in changed.items():
        entry: dict[str, Any] = {"path": path, "mode": "100644", "type": "blob"}
        if content is None:
            entry["sha"] = None
        else:
            data, executable = content
            entry["mode"] = mode_of(executable)
            text = _text(data)
            if text is None:
                body = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
                entry["sha"] = target.api.send("POST", f"{target.path}/git/blobs", body)["sha"]
            else:
                entry["content"] = text
        found.append(entry)
    return found


def _text(data: bytes) -> str | None:
    if len(data) > _INLINE or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
