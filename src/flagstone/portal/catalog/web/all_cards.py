"""Every card of the catalog itself, in one list."""

from __future__ import annotations

from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.records import RecordService
from flagstone.portal.catalog.web.api_cards import DefinitionCard
from flagstone.portal.catalog.web.health import HealthCard
from flagstone.portal.catalog.web.own_cards import own_cards
from flagstone.portal.catalog.web.people_cards import InsideCard, MembersCard, OrgChartCard, TeamsCard
from flagstone.sdk import UICard


def all_cards(catalog: CatalogService, records: RecordService, insight: InsightService) -> list[UICard]:
    """Those of entity pages and the one of the home page."""
    return [
        *own_cards(catalog, records, insight),
        DefinitionCard(),
        InsideCard(catalog),
        MembersCard(catalog, insight),
        OrgChartCard(catalog),
        TeamsCard(catalog),
        HealthCard(insight),
    ]
