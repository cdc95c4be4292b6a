"""What a slice (or a plugin with pages of its own) contributes: routes, navigation, commands, jobs, migrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flagstone.kernel.actor import Principal
from flagstone.sdk.permissions import Permission

Room = Literal["portal", "platform", "foundation"]


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the side bar. ``group`` is its heading ("" for the first, unnamed group)."""

    id: str
    label: str
    href: str
    icon: str
    group: str = ""
    order: int = 100
    permission: str | None = None
    """Shown only to those who have it."""
    count: Callable[[Principal], int | None] | None = None
    """A number beside it; cheap, or None."""


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """A result of the command palette."""

    title: str
    href: str
    kind: str
    """Heading it is listed under: "Pages", "Entities", "Golden paths"."""
    icon: str
    detail: str = ""


@dataclass(frozen=True)
class Slice:
    """One capability, complete. Everything is optional but the name."""

    name: str
    room: Room
    routers: Sequence[Any] = ()
    """FastAPI routers; each route names its permission."""
    mounts: Sequence[tuple[str, Any]] = ()
    """(path, ASGI app) for protocols that are not JSON or HTML, such as git."""
    permissions: Sequence[Permission] = ()
    nav: Sequence[NavItem] = ()
    templates: Path | None = None
    """The folder that holds ``<name>/*.html``."""
    static: Path | None = None
    migrations: Path | None = None
    """Folder of Alembic scripts."""
    migrate: Literal["room", "home", "each"] = "room"
    """Where its tables live: the database of its room, the process's home database, or every database."""
    palette: Callable[[str, Principal, int], list[PaletteEntry]] | None = None
    """(text, principal, limit) -> results."""
    claim: Callable[[], None] | None = None
    """Called once the databases are migrated, before anything starts, in a process that is to serve or to work: takes
    what one process at a time may have. Raise Conflict, saying who has it and what to do."""
    start: Callable[[], None] | None = None
    """Called in order of the slices when the process starts serving; must return soon."""
    in_workers: bool = False
    """Whether a process that only executes runs starts and stops it, too."""
    ready: Callable[[], str | None] | None = None
    """None when it can serve, else what it waits for, in words."""
    stop: Callable[[], None] | None = None
    """Called in reverse order when the process stops."""
    collects: Mapping[str, Callable[[Any, str], None]] = field(default_factory=dict)
    """Hook name -> what to do with each contribution: ``{"flagstone_register_actions": registry.add}``, called as
    ``add(contribution, plugin_name)`` once all slices are built. Raise Conflict for a second one with the same id."""
    sealed: Callable[[], None] | None = None
    """Called when everything has been collected: freeze the registries."""
    errors: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    """Path prefix -> ``(request, FlagstoneError) -> response``: how errors below it are told, where a protocol of
    others says so. Everywhere else they are problem+json or a page."""
    middleware: Sequence[Any] = field(default_factory=tuple)
    """ASGI middleware classes that take the app, outermost first."""
