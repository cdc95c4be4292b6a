"""Backstage's scaffolder API (``/api/scaffolder/v2``): its clients and plugins start and follow golden paths here.

Vocabulary: a *task* is a run, seen through that API. What a golden path is belongs to golden_paths, what a run is to
the platform behind the gateway; here is only the translation.
"""

from flagstone.portal.scaffolder.service import ScaffolderService

__all__ = ["ScaffolderService"]
