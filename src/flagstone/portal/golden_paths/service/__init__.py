"""What is done with golden paths: showing them, keeping drafts, asking for the plan, starting a run."""

from flagstone.portal.golden_paths.service.drafts import DraftService
from flagstone.portal.golden_paths.service.paths import Gallery, GoldenPathService
from flagstone.portal.golden_paths.service.pickers import Pickers

__all__ = ["DraftService", "Gallery", "GoldenPathService", "Pickers"]
