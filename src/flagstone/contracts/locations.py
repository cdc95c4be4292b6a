"""Locations as people write them."""

from __future__ import annotations


def guess_type(target: str) -> str:
    """The type of location that a target looks like: ``git``, ``url``, ``file`` or ``hosted``."""
    target = target.strip()
    address = "://" in target
    if target.startswith(("ssh://", "git::", "git@")) or (address and ".git" in target.partition("?")[0]):
        return "git"
    if address:
        return "url"
    return "file" if target.startswith(("/", "~", "./", "../")) else "hosted"
