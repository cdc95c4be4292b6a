"""Publishing, reading, and durable readers."""

from flagstone.foundation.events.service.log import EventLog, PlatformEvents, PortalEvents
from flagstone.foundation.events.service.reader import Reader

__all__ = ["EventLog", "PlatformEvents", "PortalEvents", "Reader"]
