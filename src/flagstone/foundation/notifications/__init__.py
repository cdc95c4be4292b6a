"""Notifications: what happened is told to the people whom it concerns, in the portal, by e-mail, webhook or chat.

- *notification*: a topic, a title, a text, a page of the portal, and who should hear of it
- *channel*: a way out that the settings name: a webhook, a chat, an address for a group
- *delivery*: one notification on one way to one recipient; tried again with growing pauses, then *dead*: a person looks

What happened is said by the outbox (``events``); other slices and plugins use :class:`Notifier`. Who may decide or do
something is never a matter of having been told.
"""

from flagstone.foundation.notifications.model import Notification
from flagstone.foundation.notifications.permissions import PERMISSIONS
from flagstone.foundation.notifications.service import Notifier

__all__ = ["PERMISSIONS", "Notification", "Notifier"]
