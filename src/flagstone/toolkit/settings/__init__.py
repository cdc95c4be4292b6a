"""Settings: one typed tree from ``flagstone.toml`` and ``FLAGSTONE_…`` variables, loaded once, explained on request.

``FLAGSTONE_SERVER__PORT=8080`` sets ``server.port``; ``FLAGSTONE_VAULT__KEY_FILE=/run/key`` sets ``vault.key`` from
a file. The environment is read here and nowhere else.
"""

from flagstone.toolkit.settings.loader import Explained, Settings, SettingsModel

__all__ = ["Explained", "Settings", "SettingsModel"]
