"""Previewing and starting batches, and seeing and changing those that there are."""

from flagstone.portal.batches.service.previews import BatchPreviews
from flagstone.portal.batches.service.reading import BatchReader

__all__ = ["BatchPreviews", "BatchReader"]
