"""Starting, seeing, changing and driving batches."""

from flagstone.platform.batches.service.batches import BatchService
from flagstone.platform.batches.service.driving import Driver

__all__ = ["BatchService", "Driver"]
