"""Making and changing triggers, and starting their runs."""

from flagstone.platform.triggers.service.firing import Firing
from flagstone.platform.triggers.service.triggers import TriggerService

__all__ = ["Firing", "TriggerService"]
