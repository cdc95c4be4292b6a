"""Who is meant by a ref, and where they are reached."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flagstone.foundation.identity import Account, IdentityService
from flagstone.foundation.notifications.model import Notification
from flagstone.foundation.notifications.settings import PersonSetting
from flagstone.kernel.actor import is_asked
from flagstone.kernel.errors import NotFound

log = logging.getLogger("flagstone.notifications")

Directory = Callable[[str], str | None]
"""The e-mail address of a user of the catalog, by ref; None when it does not know."""

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to tell. ``account`` is the id of their principals; empty for who never signed in here."""

    account: str
    name: str
    email: str | None


class People:
    """Accounts with the groups that the catalog puts them into, and addresses from the settings."""

    def __init__(self, identity: IdentityService, known: Iterable[PersonSetting] = ()) -> None:
        self._identity = identity
        self._known = {item.ref.lower(): item.email for item in known}
        self._directories: list[Directory] = []

    def add_directory(self, directory: Directory) -> None:
        """Add somebody who knows e-mail addresses, such as the catalog."""
        self._directories.append(directory)

    def meant(self, notification: Notification) -> list[Person]:
        """Everybody who is to be told, each once."""
        asked = [ref for ref in notification.to if not ref.startswith("channel:")]
        found = [
            Person(account.actor_id, account.display_name, account.email or self._email(account.entity_ref))
            for account in (self._accounts(asked, notification) if asked else self._named(notification.accounts))
            if not account.disabled and account.actor_id not in notification.without
        ]
        seen = {person.email for person in found if person.email}
        for ref in asked:
            email = self._known.get(ref.lower())
            if email and email not in seen:
                seen.add(email)
                found.append(Person("", ref, email))
        return found

    def _named(self, ids: Iterable[str]) -> Iterator[Account]:
        for actor_id in ids:
            with contextlib.suppress(NotFound):
                yield self._identity.accounts.by_id(actor_id.removeprefix("user:"))

    def _accounts(self, asked: list[str], notification: Notification) -> Iterator[Account]:
        """Roles and groups are known of each account at this moment only, so all are looked at."""
        cursor: str | None = None
        while True:
            page = self._identity.accounts.list(cursor=cursor, limit=_PAGE)
            for account in page.items:
                named = account.actor_id in notification.accounts
                if named or is_asked(self._identity.principal_of(account), asked, notification.owner):
                    yield account
            cursor = page.next_cursor
            if cursor is None:
                return

    def _email(self, ref: str | None) -> str | None:
        if ref is None:
            return None
        if (known := self._known.get(ref.lower())) is not None:
            return known
        for directory in self._directories:
            try:
                found = directory(ref)
            except Exception:
                log.exception("a directory of e-mail addresses failed for %s", ref)
                continue
            if found:
                return found
        return None
