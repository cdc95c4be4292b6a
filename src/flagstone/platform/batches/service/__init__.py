"""Starting, seeing, changing and driving batches."""

from flagstone.platform.batches.service.batches import BatchService
from flagstone.platform.batches.service.driving import Driver
from flagstone.platform.batches.service.makers import Makers

__all__ = ["BatchService", "Driver", "Makers"]
