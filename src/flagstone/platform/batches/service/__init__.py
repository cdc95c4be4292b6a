"""Starting, seeing, changing and driving batches."""

from flagstone.platform.batches.service.batches import BatchService
from flagstone.platform.batches.service.driving import Driver
from flagstone.platform.batches.service.secrets import BatchSecrets

__all__ = ["BatchSecrets", "BatchService", "Driver"]
