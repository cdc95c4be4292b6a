"""What the parts of the service share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.identity.model import Account
from flagstone.foundation.identity.settings import IdentitySettings
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now
from flagstone.toolkit.db import Database


@dataclass
class Context:
    """Collaborators, and what must happen when an account, a session or a token changes."""

    db: Database
    access: AccessService
    audit: AuditLog
    settings: IdentitySettings
    now: Now
    forget: list[Callable[[], None]] = field(default_factory=list)
    """Caches to clear."""

    def changed(self) -> None:
        """Clear the caches once the transaction is committed."""
        self.db.after_commit(lambda: [clear() for clear in self.forget])

    def principal(self, account: Account, *, via: str, scopes: tuple[str, ...] | None = None) -> Principal:
        """The principal of an account, with the groups that the catalog knows at this moment."""
        ref = account.entity_ref
        return Principal(
            kind="user",
            id=account.actor_id,
            name=account.display_name,
            role=account.role,
            entity_ref=ref,
            groups=self.access.groups(ref) if ref else frozenset(),
            scopes=frozenset(scopes) if scopes is not None else None,
            via=via,
        )
