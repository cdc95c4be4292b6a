"""Claims of a portal that runs apart from its platform: "this principal asks", signed with the secret that both know."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any, get_args

from flagstone.kernel.actor import ROLES, Principal, PrincipalKind
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Invalid, Unauthenticated

HEADER = "X-Flagstone-Actor"
VALIDITY = timedelta(seconds=60)
"""How old a claim may be, and how far clocks may differ."""
_VERSION = 1
_MIN_SECRET = 32


def sign_actor(principal: Principal, secret: str, *, now: Now = utc_now) -> str:
    """A claim for the header ``X-Flagstone-Actor``, valid for 60 seconds. Raises Invalid for a secret below 32 characters."""
    claim = {
        "v": _VERSION,
        "at": now().timestamp(),
        "kind": principal.kind,
        "id": principal.id,
        "name": principal.name,
        "role": principal.role,
        "entity_ref": principal.entity_ref,
        "groups": sorted(principal.groups),
        "scopes": sorted(principal.scopes) if principal.scopes is not None else None,
        "via": principal.via,
    }
    body = base64.urlsafe_b64encode(json.dumps(claim, separators=(",", ":")).encode()).decode()
    return f"{body}.{_signature(body, secret)}"


def verify_actor(text: str, secret: str, *, now: Now = utc_now) -> Principal:
    """The principal of a claim. Raises Unauthenticated when it is forged, too old, or not one."""
    body, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body, secret).encode()):
        raise _refused("the signature does not fit; do portal and platform have the same platform.secret?")
    try:
        claim = json.loads(base64.urlsafe_b64decode(body.encode()))
        age = now().timestamp() - float(claim["at"])
        principal = _principal(claim)
    except (ValueError, KeyError, TypeError) as error:
        raise _refused("it cannot be read; are portal and platform of the same version?") from error
    if abs(age) > VALIDITY.total_seconds():
        raise _refused(f"it is {age:.0f} seconds old; are the clocks of portal and platform right?")
    return principal


def _principal(claim: dict[str, Any]) -> Principal:
    if claim["v"] != _VERSION or claim["kind"] not in get_args(PrincipalKind):
        raise ValueError("unknown version or kind")
    if claim["role"] is not None and claim["role"] not in ROLES:
        raise ValueError("unknown role")
    scopes = claim["scopes"]
    return Principal(
        kind=claim["kind"],
        id=str(claim["id"]),
        name=str(claim["name"]),
        role=claim["role"],
        entity_ref=claim["entity_ref"],
        groups=frozenset(map(str, claim["groups"])),
        scopes=frozenset(map(str, scopes)) if scopes is not None else None,
        via=str(claim["via"]),
    )


def _signature(body: str, secret: str) -> str:
    if len(secret) < _MIN_SECRET:
        raise Invalid(
            "identity.short_secret",
            "platform.secret must have at least 32 characters.",
            hint="Make one with: head -c 32 /dev/urandom | base64",
        )
    return hmac.new(secret.encode(), b"flagstone actor\0" + body.encode(), hashlib.sha256).hexdigest()


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated("identity.bad_claim", f"The claim in {HEADER} is refused: {why}")
