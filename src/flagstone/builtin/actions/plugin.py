"""The plugin registers itself."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.actions.catalog import CatalogRegister, CatalogUnregister, CatalogWrite
from flagstone.builtin.actions.debug import DebugLog, DebugWait
from flagstone.builtin.actions.fetch import FetchPlain, FetchPlainFile, FetchTemplate
from flagstone.builtin.actions.files import FsDelete, FsReaddir, FsRename
from flagstone.builtin.actions.permissions import PERMISSIONS
from flagstone.sdk import Action, Slice, hookimpl

ACTIONS: tuple[type[Action], ...] = (
    FetchPlain,
    FetchPlainFile,
    FetchTemplate,
    FsDelete,
    FsRename,
    FsReaddir,
    DebugLog,
    DebugWait,
    CatalogWrite,
    CatalogRegister,
    CatalogUnregister,
)


@hookimpl
def flagstone_register_slice() -> Slice:
    """The permissions of the actions."""
    return Slice("actions", room="platform", permissions=PERMISSIONS)


@hookimpl
def flagstone_register_actions() -> Iterable[Action]:
    """One of each."""
    return [kind() for kind in ACTIONS]
