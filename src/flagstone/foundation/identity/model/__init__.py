"""Accounts, sessions, tokens and the rules for passwords. Pure."""

from flagstone.foundation.identity.model.accounts import (
    USERNAME,
    Account,
    Link,
    NewToken,
    RateLimited,
    SessionInfo,
    TokenInfo,
)
from flagstone.foundation.identity.model.passwords import MIN_LENGTH, password_problem
from flagstone.foundation.identity.model.tokens import hash_secret, make_token, new_secret, token_id, well_formed

__all__ = [
    "MIN_LENGTH",
    "USERNAME",
    "Account",
    "Link",
    "NewToken",
    "RateLimited",
    "SessionInfo",
    "TokenInfo",
    "hash_secret",
    "make_token",
    "new_secret",
    "password_problem",
    "token_id",
    "well_formed",
]
