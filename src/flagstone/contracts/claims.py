"""The signed claim by which a portal tells a platform who acts, in a split deployment.

``base64url(JSON).base64url(HMAC-SHA256)`` with a secret both know, valid for a minute. It is not a session: every
request carries a fresh one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time

from flagstone.contracts import VERSION
from flagstone.kernel.actor import ROLES, Principal
from flagstone.kernel.errors import Invalid, Unauthenticated

HEADER = "X-Flagstone-Actor"
LIFETIME = 60.0
"""Seconds that a claim is valid, to either side of the platform's clock."""
_MIN_SECRET = 32


def sign_actor(actor: Principal, secret: str, *, now: float | None = None) -> str:
    """The claim for a principal. Raises Invalid when the secret is shorter than 32 characters."""
    body = {
        "v": VERSION,
        "at": now if now is not None else time.time(),
        "kind": actor.kind,
        "id": actor.id,
        "name": actor.name,
        "role": actor.role,
        "entity_ref": actor.entity_ref,
        "groups": sorted(actor.groups),
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
        "via": actor.via,
    }
    text = base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode()
    return f"{text}.{_mac(text, secret)}"


def verify_actor(claim: str, secret: str, *, now: float | None = None) -> Principal:
    """The principal of a claim. Raises Unauthenticated when it is forged, too old, or of another version."""
    text, _, mac = claim.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(text, secret).encode()):
        raise Unauthenticated(
            "claims.forged",
            "The claim that says who acts is not signed with this platform's secret.",
            hint="platform.secret must be the same on the portal and on the platform.",
        )
    try:
        body = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("claims.malformed", "The claim that says who acts cannot be read.") from error
    moment = now if now is not None else time.time()
    if abs(moment - float(body["at"])) > LIFETIME:
        raise Unauthenticated(
            "claims.expired",
            "The claim that says who acts is too old or from the future.",
            hint="Check the clocks of portal and platform.",
        )
    if body["v"] != VERSION:
        raise Unauthenticated(
            "claims.version",
            f"The portal speaks version {body['v']} of the contracts, this platform version {VERSION}.",
            hint="Bring both to the same release.",
        )
    return Principal(
        kind=body["kind"],
        id=str(body["id"]),
        name=str(body["name"]),
        role=body["role"] if body["role"] in ROLES else None,
        entity_ref=body["entity_ref"],
        groups=frozenset(body["groups"]),
        scopes=None if body["scopes"] is None else frozenset(body["scopes"]),
        via=str(body["via"]),
    )


def _mac(text: str, secret: str) -> str:
    if len(secret) < _MIN_SECRET:
        raise Invalid(
            "claims.weak_secret",
            f"platform.secret has {len(secret)} characters.",
            hint=f"Use at least {_MIN_SECRET}, for example from `openssl rand -hex 32`.",
        )
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()
