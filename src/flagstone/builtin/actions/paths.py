"""Paths as templates write them."""

from __future__ import annotations


def clean(path: str) -> str:
    """``./out/`` is ``out``; the workspace itself is the empty text."""
    found = path.strip()
    while found.startswith("./"):
        found = found[2:]
    found = found.strip("/") if not found.startswith("/") else found
    return "" if found == "." else found


def join(folder: str, name: str) -> str:
    """A path below a folder of the workspace."""
    return f"{folder}/{name}" if folder else name
