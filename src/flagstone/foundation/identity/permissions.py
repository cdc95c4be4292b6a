"""What can be allowed here. One's own account, sessions and tokens need ``identity.self.*``, which every role has."""

from __future__ import annotations

from flagstone.sdk import Permission

PERMISSIONS = [
    Permission("identity.self.read", "See one's own account, sessions and tokens", "viewer"),
    Permission("identity.self.write", "Change one's own password, sessions and tokens", "viewer"),
    Permission("identity.user.list", "See all accounts", "admin"),
    Permission("identity.user.write", "Create accounts, change roles, disable, make sign-in links", "admin"),
]
