"""Self service: following runs, and acting on what runs: deploy, stop, start, delete.

Vocabulary: a *run* is one execution on the platform, shown here and started here, never executed here; an *entity
action* is a small workflow about one entity; what would change is the *plan*. Forms belong to golden_paths.
"""

from flagstone.portal.self_service.service import EntityActions, RunReader

__all__ = ["EntityActions", "RunReader"]
