"""Telling somebody: a notification becomes deliveries, which outlive the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flagstone.foundation.notifications.model import Body, Delivery, Kind, Notification, bounded, one_line
from flagstone.foundation.notifications.service.people import People
from flagstone.foundation.notifications.settings import ChannelSetting, NotificationsSettings
from flagstone.foundation.notifications.store import NotificationStore
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import NotFound
from flagstone.kernel.ids import new_id
from flagstone.toolkit.signals import Signals

WAKE = "notifications"
"""Topic of the signal that there is something to send."""


class Notifier:
    """Sends notifications: to people in the portal and by e-mail, and to the channels that want them."""

    def __init__(
        self,
        store: NotificationStore,
        settings: NotificationsSettings,
        people: People,
        signals: Signals,
        base_url: Callable[[], str],
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._settings = settings
        self._signals = signals
        self._base_url = base_url
        self._now = now
        self.people = people

    @property
    def channels(self) -> tuple[ChannelSetting, ...]:
        """The ways out that the settings name."""
        return self._settings.channels

    def send(self, notification: Notification, *, key: str) -> int:
        """Store what is to be sent, in the current transaction of the home database; returns how many are new.

        ``key`` makes it idempotent: the same one again sends nothing more.
        """
        body = self._body(notification)
        made = []
        for kind, channel, recipient in dict.fromkeys(self._ways(notification)):
            now = self._now()
            arrived = kind == "portal"
            delivery = Delivery(
                new_id(),
                kind,
                channel,
                recipient,
                notification.topic,
                body,
                "sent" if arrived else "pending",
                now,
                now,
                ended_at=now if arrived else None,
            )
            made.append((f"{key}:{kind}:{channel}:{recipient}", delivery))
        with self._store.db.write():
            new = self._store.add(made)
            if any(delivery.state == "pending" for _, delivery in made):
                self._store.db.after_commit(lambda: self._signals.notify(WAKE))
        return new

    def check(self, refs: tuple[str, ...]) -> None:
        """Whether channels that are named exist. Raises NotFound."""
        known = [channel.name for channel in self.channels]
        for ref in refs:
            kind, _, name = ref.partition(":")
            if kind == "channel" and name not in known:
                raise NotFound(
                    "notifications.no_channel",
                    f"There is no channel {name!r}.",
                    hint=f"There are: {', '.join(known) or 'none'}. An administrator adds them under "
                    "[[notifications.channels]].",
                )

    def _body(self, notification: Notification) -> Body:
        url = f"{self._base_url().rstrip('/')}{notification.path}" if notification.path.startswith("/") else ""
        facts = tuple((one_line(key, 50), one_line(value)) for key, value in notification.facts[:10])
        return Body(one_line(notification.title), bounded(notification.text), url, facts)

    def _ways(self, notification: Notification) -> Iterator[tuple[Kind, str, str]]:
        by_mail = self._settings.smtp.host and notification.topic in (*self._settings.people_topics, "message")
        for person in self.people.meant(notification):
            if person.account:
                yield "portal", "", person.account
            if by_mail and person.email:
                yield "email", "", person.email
        for channel in self.channels:
            if _wanted(channel, notification):
                yield channel.kind, channel.name, channel.to or channel.name


def _wanted(channel: ChannelSetting, notification: Notification) -> bool:
    if f"channel:{channel.name}" in notification.to:
        return True
    if notification.topic not in channel.topics:
        return False
    about = {ref.lower() for ref in (*notification.to, notification.owner or "")}
    return not channel.groups or any(group.lower() in about for group in channel.groups)
