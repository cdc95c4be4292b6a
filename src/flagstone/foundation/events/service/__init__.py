"""Publishing, reading, and durable readers."""

from flagstone.foundation.events.service.following import Following, behind
from flagstone.foundation.events.service.log import EventLog, PlatformEvents, PortalEvents
from flagstone.foundation.events.service.reader import Reader

__all__ = ["EventLog", "Following", "PlatformEvents", "PortalEvents", "Reader", "behind"]
