"""The plugin: registers the sources."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.sources.file import FileSource
from flagstone.builtin.sources.git import GitSource
from flagstone.builtin.sources.hosted import HostedSource
from flagstone.builtin.sources.url import UrlSource
from flagstone.sdk import EntitySource, hookimpl


@hookimpl
def flagstone_register_entity_sources() -> Iterable[EntitySource]:
    """``file``, ``git``, ``hosted`` and ``url``."""
    return (FileSource(), GitSource(), HostedSource(), UrlSource())
