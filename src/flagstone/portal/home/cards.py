"""The home page's own cards."""

from __future__ import annotations

from flagstone.contracts.gateway import RunGateway
from flagstone.portal.catalog import CatalogQuery, CatalogService
from flagstone.sdk import CardContext, Rendered

_FEW = 8


class MineCard:
    """What the person and their teams own."""

    id = "home.mine"
    slot = "home.main"
    order = 10
    lazy = False

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """Always: an empty one says what to do."""
        return True

    def render(self, ctx: CardContext) -> Rendered:
        """The first few, and how many there are."""
        query = CatalogQuery(kinds=("component", "api", "resource", "system"), limit=_FEW, count=True)
        page = self._catalog.owned(ctx.principal, query)
        matched = ctx.principal.entity_ref is not None
        return Rendered("home/_mine.html", {"rows": page.items, "total": page.total or 0, "matched": matched})


class StartCard:
    """Golden paths to start from."""

    id = "home.start"
    slot = "home.side"
    order = 10
    lazy = False

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """Always."""
        return True

    def render(self, ctx: CardContext) -> Rendered:
        """A few templates, recommended ones first."""
        rows = self._catalog.list(CatalogQuery(kinds=("template",), limit=50)).items
        first = sorted(rows, key=lambda row: ("recommended" not in row.tags, row.title))
        return Rendered("home/_start.html", {"rows": first[:5]})


class GettingStartedCard:
    """One next step for a new installation; gone when all is done."""

    id = "home.getting-started"
    slot = "home.main"
    order = 5
    lazy = False

    def __init__(self, catalog: CatalogService, gateway: RunGateway) -> None:
        self._catalog = catalog
        self._gateway = gateway

    def applies(self, ctx: CardContext) -> bool:
        """For those who set things up."""
        return ctx.principal.role in ("admin", "maintainer")

    def render(self, ctx: CardContext) -> Rendered | None:
        """The checklist, or nothing when everything is done."""
        entities = self._catalog.count(CatalogQuery(kinds=("component",)))
        templates = self._catalog.count(CatalogQuery(kinds=("template",)))
        info = self._gateway.info()
        tasks = [
            ("Register your software", entities > 0, "/catalog/import"),
            ("Add a golden path", templates > 0, "/catalog/import"),
            ("Match your account with a person of the catalog", ctx.principal.entity_ref is not None, "/me"),
        ]
        if not info.connected:
            tasks.append(("Connect a platform", False, "/admin"))
        if all(done for _, done, _ in tasks):
            return None
        return Rendered("home/_getting_started.html", {"tasks": tasks})
