"""Tokens: as the vault keeps them, or of the installations of a GitHub App, made with its private key."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flagstone.builtin.github.client import GitHub
from flagstone.builtin.github.settings import GitHubHost
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.sdk import HttpClient
from flagstone.sdk.remotes import SecretReader

_EARLY = 300.0
"""Seconds before its end from which on a token of an installation is not used any more."""
_JWT_SECONDS = 540


class Credentials:
    """Authorization headers for the repositories of an owner on one host. Thread-safe."""

    def __init__(
        self, host: GitHubHost, secrets: SecretReader, http: HttpClient, *, now: Callable[[], float] = time.time
    ) -> None:
        self._host = host
        self._secrets = secrets
        self._http = http
        self._now = now
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def header(self, owner: str, purpose: str) -> str:
        """The value of the header. Raises Invalid naming the secret when there is none."""
        if not self._host.app_id:
            return f"Bearer {self._secret(purpose)}"
        with self._lock:
            found = self._tokens.get(owner)
            if found is None or found[1] - _EARLY < self._now():
                found = self._installation(owner, purpose)
                self._tokens[owner] = found
        return f"Bearer {found[0]}"

    def _secret(self, purpose: str) -> str:
        try:
            return self._secrets.use(self._host.credential, purpose=purpose).strip()
        except NotFound as error:
            raise Invalid(
                "github.no_credential",
                f"There is no secret {self._host.credential!r} in the vault, which {self._host.host} needs.",
                hint=f"Put a token into the secret {self._host.credential!r} under Admin, Secrets.",
            ) from error

    def _installation(self, owner: str, purpose: str) -> tuple[str, float]:
        proof = app_proof(self._secret(purpose), self._host.app_id, self._now(), secret=self._host.credential)
        api = GitHub(self._host, self._http, lambda: f"Bearer {proof}", secret=self._host.credential)
        found = api.find(f"/orgs/{owner}/installation") or api.find(f"/users/{owner}/installation")
        if found is None:
            raise Invalid(
                "github.app_not_installed",
                f"The GitHub App {self._host.app_id} is not installed for {owner!r} on {self._host.host}.",
                hint="Install it there, for all repositories or those that runs work with.",
            )
        made: dict[str, Any] = api.send("POST", f"/app/installations/{found['id']}/access_tokens", {})
        until = datetime.fromisoformat(str(made["expires_at"]))
        return str(made["token"]), until.timestamp()


def app_proof(pem: str, app_id: str, now: float, *, secret: str) -> str:
    """The signed statement (JWT, RS256) with which an app asks for tokens; it lasts nine minutes."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise _no_key(secret) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _no_key(secret)
    claims = {"iat": int(now) - 60, "exp": int(now) + _JWT_SECONDS, "iss": app_id}
    text = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_plain(signature)}"


def _no_key(secret: str) -> Invalid:
    return Invalid(
        "github.bad_app_key",
        f"The secret {secret!r} does not hold the private key of a GitHub App.",
        hint="Store the whole PEM file that GitHub gave, with its first and last line.",
    )


def _part(value: object) -> str:
    return _plain(json.dumps(value, separators=(",", ":")).encode())


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
