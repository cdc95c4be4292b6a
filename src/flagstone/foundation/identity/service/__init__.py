"""Use cases of identity: accounts, sessions, tokens, and signing in over them."""

from flagstone.foundation.identity.service.accounts import Accounts
from flagstone.foundation.identity.service.identity import FIRST_ADMIN, IdentityService
from flagstone.foundation.identity.service.makers import Makers
from flagstone.foundation.identity.service.sessions import Sessions, SignedIn
from flagstone.foundation.identity.service.tokens import Tokens

__all__ = ["FIRST_ADMIN", "Accounts", "IdentityService", "Makers", "Sessions", "SignedIn", "Tokens"]
