"""Use cases: tell somebody (:class:`Notifier`), hear what happened (:class:`Follower`), send (:class:`Deliverer`)."""

from __future__ import annotations

from flagstone.foundation.notifications.service.delivering import Deliverer
from flagstone.foundation.notifications.service.following import Follower
from flagstone.foundation.notifications.service.notifier import Notifier
from flagstone.foundation.notifications.service.people import People, Person
from flagstone.foundation.notifications.service.reading import Reading

__all__ = ["Deliverer", "Follower", "Notifier", "People", "Person", "Reading"]
