"""Secrets for GitHub Actions: sealed for the repository before they are sent, as the API demands."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from nacl.public import PublicKey, SealedBox

from flagstone.builtin.github.client import GitHub


def put_secrets(api: GitHub, path: str, values: Mapping[str, str]) -> None:
    """Set secrets below ``path`` (``…/actions`` or ``…/environments/NAME``); setting them again is the same."""
    if not values:
        return
    key = api.get(f"{path}/secrets/public-key")
    box = SealedBox(PublicKey(base64.b64decode(key["key"])))
    for name, value in values.items():
        sealed = base64.b64encode(box.encrypt(value.encode())).decode()
        api.send("PUT", f"{path}/secrets/{name}", {"encrypted_value": sealed, "key_id": key["key_id"]})


def put_variables(api: GitHub, path: str, values: Mapping[str, str]) -> None:
    """Set variables below ``path``; setting them again is the same."""
    for name, value in values.items():
        body = {"name": name, "value": value}
        if api.find(f"{path}/variables/{name}") is None:
            api.send("POST", f"{path}/variables", body)
        else:
            api.send("PATCH", f"{path}/variables/{name}", body)
