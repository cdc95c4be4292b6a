"""The rights that who started a batch has today: a batch may go on for days."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, NotFound
from flagstone.platform.batches.model import Batch


class Makers:
    """Looks people up; those without an account on this server keep the rights they came with."""

    def __init__(self, identity: IdentityService | None) -> None:
        self._identity = identity

    def knows(self, actor: Principal) -> bool:
        """Whether somebody has an account on this server."""
        return self._account(actor) is not None

    def of(self, batch: Batch) -> Principal:
        """Who started a batch, with the rights of now. Raises Denied when they have no account any more."""
        if not batch.known_here:
            return batch.principal
        account = self._account(batch.principal)
        if account is None or account.disabled or self._identity is None:
            raise Denied(
                "batches.maker_gone",
                f"{batch.principal.name}, who started the batch, has no account any more.",
                hint="Somebody who is there has to start a new one for what is left.",
            )
        return replace(self._identity.principal_of(account, via="batch"), scopes=batch.principal.scopes)

    def _account(self, actor: Principal) -> Any:
        if self._identity is None or actor.kind != "user":
            return None
        try:
            return self._identity.accounts.by_id(actor.id.removeprefix("user:"))
        except NotFound:
            return None
