"""Section ``[vault]``."""

from __future__ import annotations

from pydantic import SecretStr

from flagstone.toolkit.settings import SettingsModel


class VaultSettings(SettingsModel):
    """Section ``[vault]``."""

    key: SecretStr = SecretStr("")
    """Base64 of 32 random bytes that wrap every secret's own key. Empty: the file vault.key in the data folder, made at
    the first start."""
