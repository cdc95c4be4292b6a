"""Files below a root that nothing can leave."""

from __future__ import annotations

from flagstone.toolkit.files.globs import GlobSet

__all__ = ["GlobSet"]
