"""Tables of identity and their queries."""

from flagstone.foundation.identity.store.accounts import AccountStore
from flagstone.foundation.identity.store.credentials import LinkStore, SessionStore, ThrottleStore, TokenStore
from flagstone.foundation.identity.store.tables import metadata

__all__ = ["AccountStore", "LinkStore", "SessionStore", "ThrottleStore", "TokenStore", "metadata"]
