"""Who somebody is: accounts, sign-in, sessions, API tokens, and claims between the rooms.

- *account* (user): username, role, and the catalog User it was matched with
- *link*: a one-time address that signs in, made at the first start and by administrators
- *session*: a browser that signed in; the cookie holds its secret, the database a hash of it
- *token*: what programs send instead; scoped, expiring, shown once
- *claim*: "the portal says that this person asks", signed for the platform of a split deployment

What somebody may do belongs to ``access``. Single sign-on will be a module beside the passwords here.
"""

from flagstone.contracts.claims import sign_actor, verify_actor
from flagstone.foundation.identity.middleware import COOKIE, IdentityMiddleware
from flagstone.foundation.identity.model import (
    Account,
    NewToken,
    RateLimited,
    SessionInfo,
    TokenInfo,
    make_token,
    well_formed,
)
from flagstone.foundation.identity.permissions import PERMISSIONS
from flagstone.foundation.identity.service import FIRST_ADMIN, IdentityService, Makers
from flagstone.foundation.identity.settings import IdentitySettings

__all__ = [
    "COOKIE",
    "FIRST_ADMIN",
    "PERMISSIONS",
    "Account",
    "IdentityMiddleware",
    "IdentityService",
    "IdentitySettings",
    "Makers",
    "NewToken",
    "RateLimited",
    "SessionInfo",
    "TokenInfo",
    "make_token",
    "sign_actor",
    "verify_actor",
    "well_formed",
]
