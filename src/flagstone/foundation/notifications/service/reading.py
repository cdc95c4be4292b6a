"""Looking at notifications and deliveries, and trying again."""

from __future__ import annotations

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.notifications.model import Delivery, Notification, State
from flagstone.foundation.notifications.permissions import DELIVERIES, OWN, RETRY
from flagstone.foundation.notifications.service.notifier import WAKE, Notifier
from flagstone.foundation.notifications.store import NotificationStore, Wanted
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.toolkit.signals import Signals


class Reading:
    """Every method decides for the ``actor`` it is given."""

    def __init__(
        self,
        store: NotificationStore,
        notifier: Notifier,
        access: AccessService,
        audit: AuditLog,
        signals: Signals,
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._access = access
        self._audit = audit
        self._signals = signals
        self._now = now

    def own(self, actor: Principal, *, cursor: str | None = None, limit: int | None = None) -> Page[Delivery]:
        """What the actor was told in the portal, newest first."""
        self._access.check(actor, OWN)
        return self._page(Wanted(kind="portal", recipient=actor.id), cursor, limit)

    def unread(self, actor: Principal) -> int:
        """How many of them are new."""
        return self._store.count(Wanted(kind="portal", recipient=actor.id, unread=True))

    def mark_read(self, actor: Principal) -> int:
        """All of them; returns how many were new."""
        self._access.check(actor, OWN)
        return self._store.mark_read(actor.id, self._now())

    def deliveries(
        self,
        actor: Principal,
        *,
        state: State | None = None,
        channel: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Delivery]:
        """What leaves the house, newest first."""
        self._access.check(actor, DELIVERIES)
        return self._page(Wanted(state=state, channel=channel), cursor, limit)

    def dead(self) -> int:
        """How many deliveries were given up."""
        return self._store.count(Wanted(state="dead"))

    def retry(self, delivery_id: str, actor: Principal) -> Delivery:
        """Try a dead one again. Raises NotFound, Conflict when it is not dead."""
        self._access.check(actor, RETRY, resource=f"delivery:{delivery_id}")
        with self._store.db.write():
            if not self._store.revive(delivery_id, self._now()):
                found = self._get(delivery_id)
                raise Conflict("notifications.not_dead", f"The delivery is {found.state}, not dead.")
            self._audit.record(actor, RETRY, f"delivery:{delivery_id}")
            self._store.db.after_commit(lambda: self._signals.notify(WAKE))
        return self._get(delivery_id)

    def try_channel(self, name: str, actor: Principal) -> None:
        """Send a test to a channel. Raises NotFound."""
        self._access.check(actor, RETRY, resource=f"channel:{name}")
        self._notifier.check((f"channel:{name}",))
        text = f"{actor.name} tries whether the channel {name} works. It does."
        with self._store.db.write():
            test = Notification("test", "A test of Flagstone", text, "/notifications", to=(f"channel:{name}",))
            self._notifier.send(test, key=new_id())
            self._audit.record(actor, RETRY, f"channel:{name}")

    def _get(self, delivery_id: str) -> Delivery:
        found = self._store.get(delivery_id)
        if found is None:
            raise NotFound("notifications.no_delivery", f"There is no delivery {delivery_id[:80]!r}.")
        return found

    def _page(self, wanted: Wanted, cursor: str | None, limit: int | None) -> Page[Delivery]:
        size = clamp_limit(limit)
        found = self._store.page(wanted, str(decode_cursor(cursor)[0]) if cursor else None, size + 1)
        return Page(tuple(found[:size]), encode_cursor(found[size - 1].id) if len(found) > size else None)
