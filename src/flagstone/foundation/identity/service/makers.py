"""The rights that somebody has today who asked for something that happens later: a schedule, a trigger, a batch."""

from __future__ import annotations

from dataclasses import replace

from flagstone.foundation.identity.model import Account
from flagstone.foundation.identity.service.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, NotFound


class Makers:
    """Looks people up; those without an account on this server keep the rights they came with.

    ``identity`` is None where there are no accounts: a platform that a portal speaks for.
    """

    def __init__(self, identity: IdentityService | None) -> None:
        self._identity = identity

    def knows(self, actor: Principal) -> bool:
        """Whether somebody has an account on this server."""
        return self._account(actor) is not None

    def today(self, maker: Principal, *, known_here: bool, via: str) -> Principal:
        """Somebody with the rights of now, but no more than the token allowed that they asked with.

        ``known_here``: what :meth:`knows` said when they asked. Raises Denied when they have no account any more.
        """
        if not known_here:
            return maker
        account = self._account(maker)
        if account is None or account.disabled or self._identity is None:
            raise Denied(
                "identity.maker_gone",
                f"{maker.name}, who asked for this, has no account any more.",
                hint="Somebody who is there has to make it again.",
            )
        return replace(self._identity.principal_of(account, via=via), scopes=maker.scopes)

    def _account(self, actor: Principal) -> Account | None:
        if self._identity is None or actor.kind != "user":
            return None
        try:
            return self._identity.accounts.by_id(actor.id.removeprefix("user:"))
        except NotFound:
            return None
