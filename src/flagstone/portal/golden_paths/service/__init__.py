"""What is done with golden paths: showing them, keeping drafts, asking for the plan, starting a run."""

from flagstone.portal.golden_paths.service.attachments import Attachments
from flagstone.portal.golden_paths.service.checks import TemplateChecks, check_text
from flagstone.portal.golden_paths.service.choices import Choice, Choices, ChoiceService
from flagstone.portal.golden_paths.service.drafts import DraftService
from flagstone.portal.golden_paths.service.form_fields import FormFieldRegistry
from flagstone.portal.golden_paths.service.paths import Gallery, GalleryFilter, GoldenPathService, TrackRecord
from flagstone.portal.golden_paths.service.pickers import Pickers
from flagstone.portal.golden_paths.service.prefill import Prefills

__all__ = [
    "Attachments",
    "Choice",
    "ChoiceService",
    "Choices",
    "DraftService",
    "FormFieldRegistry",
    "Gallery",
    "GalleryFilter",
    "GoldenPathService",
    "Pickers",
    "Prefills",
    "TemplateChecks",
    "TrackRecord",
    "check_text",
]
