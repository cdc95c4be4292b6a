"""What pickers of a form ask for while somebody types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.golden_paths.permissions import READ
from flagstone.portal.golden_paths.service import Choices
from flagstone.portal.golden_paths.web.bodies import read_pairs
from flagstone.portal.golden_paths.web.parts import Parts
from flagstone.toolkit.web.forms import Pairs
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class OptionsPage:
    """Some choices."""

    found: Choices


def option_routes(routes: APIRouter, parts: Parts, pages: Pages) -> None:
    """Add the search of pickers."""

    @routes.post("/create/{namespace}/{name}/_options", response_class=HTMLResponse)
    def options(
        request: Request,
        namespace: str,
        name: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(READ)],
        page: int = 0,
        draft: str | None = None,
    ) -> HTMLResponse:
        """Choices for the field that is named in the body, 20 at a time."""
        path = parts.paths.get(namespace, name)
        kept = parts.drafts.find(principal, path, draft)
        found = parts.choices.find(
            principal,
            path,
            kept.values if kept else {},
            page,
            pairs.last("field") or "",
            pairs.last("q") or "",
            pairs.last("cursor") or None,
        )
        return pages.render(request, "golden_paths/_options.html", OptionsPage(found))
