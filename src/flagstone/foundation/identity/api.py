"""One's own account and tokens, signing in from programs, and accounts for administrators, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flagstone.foundation.access import permit, public
from flagstone.foundation.identity.model import Account, TokenInfo
from flagstone.foundation.identity.service import IdentityService
from flagstone.kernel.actor import Principal, Role
from flagstone.kernel.clock import iso, utc_now

Me = Annotated[Principal, permit("identity.self.read")]
MeChanging = Annotated[Principal, permit("identity.self.write")]
Lister = Annotated[Principal, permit("identity.user.list")]
Admin = Annotated[Principal, permit("identity.user.write")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_Body):
    """Username and password, to be exchanged for a token."""

    username: str = Field(max_length=100)
    password: SecretStr = Field(max_length=1024)
    name: str = Field("flagstone login", max_length=100)
    days: int | None = None


class TokenRequest(_Body):
    """A token to be made. Without ``scopes`` it may do everything that you may."""

    name: str = Field(max_length=200)
    scopes: list[str] | None = Field(None, max_length=100)
    days: int | None = None


class NewAccount(_Body):
    """An account to be created; its first sign-in is by a link."""

    username: str = Field(max_length=100)
    role: Role = "developer"
    display_name: str = Field("", max_length=300)
    email: str | None = Field(None, max_length=400)
    entity_ref: str | None = Field(None, max_length=400)


class AccountChange(_Body):
    """What to change; what is left out stays."""

    role: Role | None = None
    display_name: str | None = Field(None, max_length=300)
    email: str | None = Field(None, max_length=400)
    entity_ref: str | None = Field(None, max_length=400)
    disabled: bool | None = None


def router(service: IdentityService, public_url: str = "") -> APIRouter:
    """Routes under ``/api/v1/``: me, session, tokens, users."""
    api = APIRouter(prefix="/api/v1")
    api.include_router(_me(service), tags=["me"])
    api.include_router(_tokens(service), tags=["tokens"])
    api.include_router(_users(service, public_url), tags=["users"])
    return api


def _me(service: IdentityService) -> APIRouter:
    api = APIRouter()

    @api.get("/me")
    def me(principal: Me) -> dict[str, Any]:
        """Who you are to this server: account, role, groups, and what your token is limited to."""
        body: dict[str, Any] = {
            "id": principal.id,
            "kind": principal.kind,
            "name": principal.name,
            "role": principal.role,
            "entity_ref": principal.entity_ref,
            "groups": sorted(principal.groups),
            "scopes": sorted(principal.scopes) if principal.scopes is not None else None,
            "via": principal.via,
        }
        if principal.kind == "user":
            account = service.account_of(principal)
            body |= {"username": account.username, "email": account.email, "has_password": account.has_password}
        return body

    @api.post("/session", status_code=201)
    def sign_in(
        request: Request,
        body: Credentials,
        _: Annotated[Principal, public("whoever signs in is not signed in yet")],
    ) -> dict[str, Any]:
        """Exchange username and password for an API token. Tries are limited."""
        made = service.token_for_password(
            body.username,
            body.password.get_secret_value(),
            body.name,
            address=request.client.host if request.client else "",
            days=body.days,
        )
        return token_json(made.info) | {"token": made.text}

    return api


def _tokens(service: IdentityService) -> APIRouter:
    api = APIRouter(prefix="/tokens")

    @api.get("")
    def list_tokens(principal: Me) -> dict[str, Any]:
        """Your tokens, newest first, without their secrets."""
        return {"items": [token_json(item) for item in service.tokens.list(service.account_of(principal).id)]}

    @api.post("", status_code=201)
    def create_token(body: TokenRequest, principal: MeChanging) -> dict[str, Any]:
        """Make a token. Its text is in this answer and never again."""
        account = service.account_of(principal)
        made = service.tokens.create(account, body.name, actor=principal, scopes=body.scopes, days=body.days)
        return token_json(made.info) | {"token": made.text}

    @api.delete("/{token_id}", status_code=204)
    def revoke_token(token_id: str, principal: MeChanging) -> None:
        """Revoke one of your tokens, at once."""
        service.tokens.revoke(service.account_of(principal), token_id, actor=principal)

    return api


def _users(service: IdentityService, public_url: str) -> APIRouter:
    api = APIRouter(prefix="/users")

    @api.get("")
    def list_users(
        _: Lister,
        q: Annotated[str, Query(max_length=100)] = "",
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
        limit: Annotated[int | None, Query(ge=1)] = None,
    ) -> dict[str, Any]:
        """Accounts by username."""
        page = service.accounts.list(text=q, cursor=cursor, limit=limit)
        return {"items": [account_json(item) for item in page.items], "next_cursor": page.next_cursor}

    @api.get("/{username}")
    def get_user(username: str, _: Lister) -> dict[str, Any]:
        """One account."""
        return account_json(service.accounts.get(username))

    @api.post("", status_code=201)
    def create_user(body: NewAccount, principal: Admin) -> dict[str, Any]:
        """Create an account. Make a sign-in link for it next."""
        account = service.accounts.create(
            body.username,
            role=body.role,
            actor=principal,
            display_name=body.display_name,
            email=body.email,
            entity_ref=body.entity_ref,
        )
        return account_json(account)

    @api.patch("/{username}")
    def change_user(username: str, body: AccountChange, principal: Admin) -> dict[str, Any]:
        """Change role, name, catalog user; disable or enable. Disabling ends sessions and tokens at once."""
        changes = body.model_dump(exclude_unset=True)
        for name in ("role", "display_name", "disabled"):
            if changes.get(name, "") is None:
                del changes[name]
        return account_json(service.accounts.change(username, actor=principal, **changes))

    @api.post("/{username}/sign-in-link", status_code=201)
    def make_link(request: Request, username: str, principal: Admin) -> dict[str, Any]:
        """A one-time sign-in link, to be handed to the person: for the first time, or when the password is lost."""
        link = service.make_link(service.accounts.get(username), actor=principal)
        base = public_url or str(request.base_url)
        return {"url": f"{base.rstrip('/')}/login/link/{link.token}", "expires_at": iso(link.expires_at)}

    return api


def account_json(account: Account) -> dict[str, Any]:
    """An account for the wire."""
    return {
        "id": account.id,
        "username": account.username,
        "display_name": account.display_name,
        "email": account.email,
        "role": account.role,
        "entity_ref": account.entity_ref,
        "disabled": account.disabled,
        "has_password": account.has_password,
        "created_at": iso(account.created_at),
        "signed_in_at": iso(account.signed_in_at) if account.signed_in_at else None,
    }


def token_json(info: TokenInfo) -> dict[str, Any]:
    """A token for the wire, without its secret."""
    return {
        "id": info.id,
        "name": info.name,
        "kind": info.kind,
        "scopes": list(info.scopes) if info.scopes is not None else None,
        "state": info.state(utc_now()),
        "created_at": iso(info.created_at),
        "expires_at": iso(info.expires_at),
        "used_at": iso(info.used_at) if info.used_at else None,
    }
