"""Secrets, the key that wraps them, and masking."""

from flagstone.foundation.vault.service.bundles import SecretBundles
from flagstone.foundation.vault.service.keys import VaultKey, load_key
from flagstone.foundation.vault.service.masking import Masker
from flagstone.foundation.vault.service.secrets import VaultService

__all__ = ["Masker", "SecretBundles", "VaultKey", "VaultService", "load_key"]
