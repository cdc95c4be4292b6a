"""Secrets of the vault: names, versions, fingerprints. Values are typed in and never shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from flagstone.foundation.access import AccessService, permit
from flagstone.foundation.vault import SecretInfo, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.web.pages import Pages

Lister = Annotated[Principal, permit("vault.secret.list")]
Writer = Annotated[Principal, permit("vault.secret.write")]


@dataclass(frozen=True)
class SecretRow:
    """One secret."""

    info: SecretInfo
    kept: bool
    """Whether it belongs to a run, a batch or a resource, and goes with it."""


@dataclass(frozen=True)
class SecretsPage:
    """A page of secrets and the form for another one."""

    tabs: tuple[tuple[str, str, str], ...]
    rows: tuple[SecretRow, ...]
    more: str | None
    may_write: bool
    name: str
    problem: str
    hint: str


def router(
    vault: VaultService, access: AccessService, pages: Pages, tabs: tuple[tuple[str, str, str], ...]
) -> APIRouter:
    """``/admin/secrets``."""
    routes = APIRouter(include_in_schema=False)

    def show(
        request: Request,
        principal: Principal,
        cursor: str | None = None,
        *,
        name: str = "",
        error: FlagstoneError | None = None,
    ) -> Response:
        found = vault.list(cursor=cursor)
        page = SecretsPage(
            tabs,
            tuple(SecretRow(info, vault.is_kept(info.name)) for info in found.items),
            found.next_cursor,
            access.possible(principal, "vault.secret.write").allowed,
            name,
            error.message if error else "",
            (error.hint or "") if error else "",
        )
        status = error.status if error else 200
        return pages.render(request, "admin/secrets.html", page, fragment="admin/_secret_rows.html", status=status)

    @routes.get("/admin/secrets")
    def secrets(request: Request, principal: Lister, cursor: str | None = None, name: str = "") -> Response:
        return show(request, principal, cursor, name=name[:200])

    @routes.post("/admin/secrets")
    def put(
        request: Request,
        principal: Writer,
        name: Annotated[str, Form()] = "",
        value: Annotated[str, Form()] = "",
    ) -> Response:
        try:
            # Browsers end lines of a text area in two letters; keys in PEM and the like have one.
            vault.put_by_hand(name.strip(), SecretStr(value.replace("\r\n", "\n")), actor=principal)
        except FlagstoneError as error:
            return show(request, principal, name=name, error=error)
        return RedirectResponse("/admin/secrets", 303)

    @routes.post("/admin/secrets/delete")
    def delete(
        request: Request,
        principal: Writer,
        name: Annotated[str, Form()] = "",
        confirm: Annotated[str, Form()] = "",
    ) -> Response:
        if confirm != name:
            return RedirectResponse("/admin/secrets", 303)
        try:
            vault.delete_by_hand(name, actor=principal)
        except FlagstoneError as error:
            return show(request, principal, error=error)
        return RedirectResponse("/admin/secrets", 303)

    return routes
