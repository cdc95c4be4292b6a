"""Where entity files are read from: files on this machine, the built-in git hosting, and addresses. Reading only."""

from flagstone.builtin.sources.file import FileSource
from flagstone.builtin.sources.hosted import HostedSource
from flagstone.builtin.sources.plugin import flagstone_register_entity_sources
from flagstone.builtin.sources.url import UrlSource

__all__ = ["FileSource", "HostedSource", "UrlSource", "flagstone_register_entity_sources"]
