"""Secrets: written by people, used by drivers and steps, read back by nobody.

- *secret*: a name, a version, a fingerprint; its value is encrypted with a key of its own (DEK)
- *vault key*: wraps the DEKs (envelope encryption); rotating it re-wraps them and touches no value
- *bundle*: the secrets of one thing, such as a run, that are deleted together
- *masking*: replacing values, in every encoding that logs are likely to show, before a line is stored or sent

References to secrets of other stores (Vault, cloud providers) belong to drivers.
"""

from flagstone.foundation.vault.model import SecretInfo
from flagstone.foundation.vault.permissions import PERMISSIONS
from flagstone.foundation.vault.service import Masker, SecretBundles, VaultKey, VaultService, load_key
from flagstone.foundation.vault.settings import VaultSettings

__all__ = [
    "PERMISSIONS",
    "Masker",
    "SecretBundles",
    "SecretInfo",
    "VaultKey",
    "VaultService",
    "VaultSettings",
    "load_key",
]
