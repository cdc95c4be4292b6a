"""Registering what exists, and the list of locations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.contracts.locations import guess_type
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.service.locations import LocationService, Preview
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.pages import Pages

_TYPES = {
    "": "By the look of it",
    "file": "A file, folder or pattern on the server",
    "git": "A repository on another git server",
    "hosted": "A repository of the built-in git hosting",
    "url": "An address",
}
Creator = Annotated[Principal, permit("catalog.location.create")]
Deleter = Annotated[Principal, permit("catalog.location.delete")]


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """The form, the preview, and what is registered already."""

    types: Sequence[tuple[str, str]]
    type: str
    target: str
    preview: Preview | None
    error: FlagstoneError | None
    locations: Sequence[Location]
    more: str | None
    may_delete: bool


def register_routes(routes: APIRouter, locations: LocationService, access: AccessService, pages: Pages) -> None:
    """``/catalog/import`` and the actions on locations."""
    _import_routes(routes, Registering(locations, access), pages)
    _location_routes(routes, locations)


class Registering:
    """Builds the import page."""

    def __init__(self, locations: LocationService, access: AccessService) -> None:
        self.locations = locations
        self._access = access

    def page(
        self,
        principal: Principal,
        type_: str = "",
        target: str = "",
        *,
        preview: Preview | None = None,
        error: FlagstoneError | None = None,
        cursor: str | None = None,
    ) -> RegisterPage:
        """The page in one of its states."""
        known = [("", _TYPES[""]), *((name, _TYPES.get(name, name)) for name in self.locations.source_types())]
        found = self.locations.list(origins=("settings", "user", "event"), cursor=cursor)
        more = f"/catalog/import?cursor={found.next_cursor}" if found.next_cursor else None
        may_delete = self._access.possible(principal, "catalog.location.delete").allowed
        return RegisterPage(known, type_, target, preview, error, found.items, more, may_delete)


def _import_routes(routes: APIRouter, registering: Registering, pages: Pages) -> None:
    @routes.get("/catalog/import")
    def form(
        request: Request,
        principal: Creator,
        type: str = "",  # noqa: A002  the word in the address
        target: str = "",
        cursor: str | None = None,
    ) -> Response:
        page = registering.page(principal, type, target, cursor=cursor)
        return pages.render(request, "catalog/import.html", page)

    @routes.post("/catalog/import")
    def submit(
        request: Request,
        principal: Creator,
        type: Annotated[str, Form()] = "",  # noqa: A002  the field's name
        target: Annotated[str, Form()] = "",
        do: Annotated[str, Form()] = "preview",
    ) -> Response:
        kind = type or guess_type(target)
        try:
            if do == "register":
                registering.locations.register(principal, kind, target)
                return _go(request, "/catalog?view=all")
            preview = registering.locations.preview(principal, kind, target)
        except FlagstoneError as error:
            page = registering.page(principal, type, target, error=error)
            return pages.render(request, "catalog/import.html", page, status=422)
        return pages.render(request, "catalog/import.html", registering.page(principal, kind, target, preview=preview))


def _location_routes(routes: APIRouter, locations: LocationService) -> None:
    @routes.post("/catalog/locations/{location_id}/refresh")
    def refresh(
        request: Request, principal: Annotated[Principal, permit("catalog.entity.refresh")], location_id: str
    ) -> Response:
        locations.refresh(principal, location_id)
        return _go(request, "/catalog/import")

    @routes.post("/catalog/locations/{location_id}/unregister")
    def unregister(
        request: Request, principal: Deleter, location_id: str, confirm: Annotated[str, Form()] = ""
    ) -> Response:
        locations.unregister_confirmed(principal, location_id, confirm)
        return _go(request, "/catalog/import")

    @routes.post("/catalog/locations/{location_id}/approve")
    def approve(request: Request, principal: Deleter, location_id: str, digest: Annotated[str, Form()]) -> Response:
        locations.approve(principal, location_id, digest)
        return _go(request, "/catalog/problems")


def _go(request: Request, target: str) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)
