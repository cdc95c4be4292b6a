"""Hosting plugins: finding them, calling their hooks one by one so that a broken one cannot take the others down,
and the container of collaborators. Knows pluggy, not what the hooks mean.
"""

from flagstone.toolkit.plugins.container import Container
from flagstone.toolkit.plugins.host import Contribution, PluginFailure, PluginHost

__all__ = ["Container", "Contribution", "PluginFailure", "PluginHost"]
