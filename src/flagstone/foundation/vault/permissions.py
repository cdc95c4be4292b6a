"""What can be allowed here. There is no permission to read a value, because nobody can."""

from __future__ import annotations

from flagstone.sdk import Permission

PERMISSIONS = [
    Permission("vault.secret.list", "See names, versions and fingerprints of secrets", "maintainer"),
    Permission("vault.secret.write", "Set and delete secrets", "maintainer"),
]
