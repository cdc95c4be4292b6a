"""Sending what is due: each try is counted before it is made, so that no crash repeats it for ever."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from datetime import timedelta

from flagstone.foundation.notifications.model import Delivery, one_line
from flagstone.foundation.notifications.ports import Way
from flagstone.foundation.notifications.store import NotificationStore
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, Temporary, Unavailable

log = logging.getLogger("flagstone.notifications")

_LEASE = timedelta(seconds=180)
_LONGEST = 3600.0


def pause(tries: int) -> float:
    """Seconds before the next try: 10, 20, 40 … at most an hour, each by chance between half and all of it."""
    return random.uniform(0.5, 1) * min(_LONGEST, 10 * 2.0 ** (tries - 1))  # noqa: S311  spreads load, hides nothing


class Deliverer:
    """``mail`` None: there is no mail server. ``hooks`` are the other channels by name."""

    def __init__(
        self,
        store: NotificationStore,
        mail: Way | None,
        hooks: Mapping[str, Way],
        *,
        tries: int,
        now: Now = utc_now,
        pause: Callable[[int], float] = pause,
    ) -> None:
        self._store = store
        self._mail = mail
        self._hooks = hooks
        self._tries = tries
        self._now = now
        self._pause = pause

    def turn(self, limit: int = 20) -> int:
        """Try what is due now; returns how many were tried."""
        tried = 0
        for delivery in self._store.due(self._now(), limit):
            if self._store.claim(delivery, self._now() + _LEASE):
                self._try(delivery)
                tried += 1
        return tried

    def rest(self, longest: float) -> float:
        """Seconds until something is due, at most ``longest``."""
        due = self._store.next_due()
        return longest if due is None else min(longest, max(0.0, (due - self._now()).total_seconds()))

    def prune(self, days: int) -> int:
        """Delete what has ended long ago."""
        return self._store.prune(self._now() - timedelta(days=days))

    def _try(self, delivery: Delivery) -> None:
        way = self._mail if delivery.kind == "email" else self._hooks.get(delivery.channel)
        if way is None:
            gone = (
                "There is no mail server." if delivery.kind == "email" else "The channel is no longer in the settings."
            )
            self._store.settle(delivery.id, "dead", gone, self._now())
            return
        try:
            way.send(delivery)
        except Exception as error:  # noqa: BLE001  one delivery must not keep the others from going
            self._failed(delivery, error)
        else:
            self._store.settle(delivery.id, "sent", "", self._now())

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        tries = delivery.tries + 1
        said = f"{error.code}: {error.message}" if isinstance(error, FlagstoneError) else type(error).__name__
        if not isinstance(error, FlagstoneError):
            log.error("a delivery (%s) failed in a way that nobody expected", delivery.id, exc_info=error)
        if isinstance(error, Temporary | Unavailable) and tries < self._tries:
            wait = min(max(self._pause(tries), error.retry_after or 0), 24 * _LONGEST)
            self._store.settle(delivery.id, "pending", one_line(said, 500), self._now() + timedelta(seconds=wait))
            return
        log.warning("a notification (%s, %s) cannot be delivered: %s", delivery.id, delivery.topic, said)
        self._store.settle(delivery.id, "dead", one_line(said, 500), self._now())
