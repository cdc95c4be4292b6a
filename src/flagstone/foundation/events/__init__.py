"""The outbox: what happened in a room, written in the transaction of the change, read by cursor, at least once.

- *event*: a type, a subject, data; the wire type is :class:`flagstone.contracts.events.Event`
- *cursor*: grows with every event, in the order of commits; whoever has read up to one has missed nothing before it
- *reader*: a named, durable cursor whose handler is idempotent; *following*: a thread with one
- *parked*: an event whose handler failed too often; the reader goes on, a person looks

What a subscriber does with an event belongs to the subscriber; wake-up calls that may be lost are ``toolkit.signals``.
"""

from flagstone.contracts.events import Event
from flagstone.foundation.events.model import ParkedEvent, ReaderState
from flagstone.foundation.events.service import EventLog, Following, PlatformEvents, PortalEvents, Reader, behind

__all__ = [
    "Event",
    "EventLog",
    "Following",
    "ParkedEvent",
    "PlatformEvents",
    "PortalEvents",
    "Reader",
    "ReaderState",
    "behind",
]
