"""Registers the runtime ``local``."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.sdk import Runtime, hookimpl


@hookimpl
def flagstone_register_runtimes() -> Iterable[Runtime]:
    """One runtime, configured by the platform when it opens it."""
    return [LocalProcessRuntime()]
