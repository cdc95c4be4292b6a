"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

from flagstone.foundation.identity.model import RateLimited
from flagstone.foundation.identity.settings import IdentitySettings
from flagstone.foundation.identity.store import ThrottleStore
from flagstone.kernel.clock import Now

_FORGET = timedelta(minutes=15)
_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(minutes=15)


class Throttle:
    """Counts failures by account and by address, in the database, so that all processes count together.

    A try is counted before it is made (parallel guesses get no head start) and given back when it succeeds.
    """

    def __init__(self, store: ThrottleStore, settings: IdentitySettings, now: Now) -> None:
        self._store = store
        self._limits = {"account": settings.logins_per_account, "address": settings.logins_per_address}
        self._now = now

    def attempt(self, username: str, address: str | None = None) -> None:
        """Count a try. Raises RateLimited when the account or the address (if any) has to wait."""
        with self._store.db.write():
            # the same order for everybody, so that two tries never wait for each other
            self._count(f"account:{username}")
            if address is not None:
                self._count(f"address:{_network(address)}")

    def succeeded(self, username: str, address: str | None = None) -> None:
        """Forget the failures of the account, and give the address its try back."""
        with self._store.db.write():
            self._store.clear(f"account:{username}")
            if address is None:
                return
            key = f"address:{_network(address)}"
            failures, last_at, _ = self._store.take(key, self._now())
            self._store.put(key, max(0, failures - 1), last_at, None)

    def clean(self) -> None:
        """Forget what is old."""
        self._store.clean(self._now() - 4 * _FORGET)

    def _count(self, key: str) -> None:
        now = self._now()
        failures, last_at, blocked_until = self._store.take(key, now)
        if blocked_until is not None and blocked_until > now:
            raise _limited(blocked_until - now)
        if now - max(last_at, blocked_until or last_at) > _FORGET:
            failures = 0
        failures += 1
        over = failures - self._limits[key.partition(":")[0]]
        until: datetime | None = None
        if over >= 0:
            until = now + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(over, 10))
        self._store.put(key, failures, now, until)


def _limited(wait: timedelta) -> RateLimited:
    seconds = max(1, round(wait.total_seconds()))
    return RateLimited(
        "identity.too_many_tries",
        "Too many failed sign-ins.",
        hint=f"Try again in {seconds} seconds, or ask an administrator for a sign-in link.",
        retry_after=seconds,
    )


def _network(address: str) -> str:
    """An IPv4 address, or the /64 that one subscriber of IPv6 has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
