"""What surrounds every page: product, person, navigation, theme, CSRF token, flash messages.

The application fills a :class:`Chrome` per request and puts it into ``request.state.chrome``; pages only read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone: TypeAlias = Literal["neutral", "ok", "warn", "bad", "info"]

GO_KEYS = {"home": "h", "catalog": "c", "create": "n", "runs": "r", "environments": "e", "admin": "a"}
"""The letter after ``g`` that opens a navigation item, by the item's id."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as the side bar shows them. ``avatar`` is one or two letters."""

    name: str
    subtitle: str = ""
    avatar: str = ""


@dataclass(frozen=True, slots=True)
class NavItem:
    """One link of the navigation. ``id`` is compared with :attr:`Chrome.active`; ``count`` is shown when not None."""

    href: str
    label: str
    icon: str
    id: str
    count: int | None = None

    @property
    def go_key(self) -> str | None:
        """The letter after ``g`` that opens this item, if it has one."""
        return GO_KEYS.get(self.id)


@dataclass(frozen=True, slots=True)
class Flash:
    """A message about what the last request did, shown once on the next page."""

    text: str
    tone: Tone = "ok"


NavGroup: TypeAlias = "tuple[str | None, tuple[NavItem, ...]]"
"""A heading (None for the first, unnamed group) and its items."""


@dataclass(frozen=True, slots=True)
class Chrome:
    """Everything that the layout shows around a page."""

    product: str = "Flagstone"
    person: Person | None = None
    navigation: tuple[NavGroup, ...] = ()
    csrf_token: str = ""
    active: str = ""
    theme: Literal["light", "dark", "system"] = "system"
    flashes: tuple[Flash, ...] = ()
    account: tuple[NavItem, ...] = ()
    """Links of the account menu, above "Sign out"."""
    sign_out: str = "/sign-out"
    """Address that a POST with the CSRF token signs the person out at."""
