"""The catalog's cards on entity pages that most kinds share; they use the same hook as any plugin's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.model import Entity
from flagstone.portal.catalog.model.formats import is_safe_link
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.records import RecordService, is_remote
from flagstone.portal.catalog.web.drawing import draw
from flagstone.portal.catalog.web.readme import readme_html
from flagstone.portal.catalog.web.views import link_of, links_of, tone_of
from flagstone.sdk import CardContext, Rendered, UICard

_CARD_NODES = 14
_FEW = 12
_DRAWN = {"group": ("childOf", "parentOf", "memberOf", "hasMember"), "user": ("memberOf",)}
"""What the graph of a kind shows on its card, where all would be too much: what it owns has a card of its own."""
_LINK_ICONS = {
    "dashboard": "gauge",
    "docs": "book-open",
    "techdocs": "book-open",
    "github": "git-branch",
    "alert": "bell",
    "help": "circle-question-mark",
    "email": "mail",
    "chat": "send",
    "group": "users",
    "user": "user",
    "catalog": "library",
    "web": "globe",
}


def own_cards(catalog: CatalogService, records: RecordService, insight: InsightService) -> list[UICard]:
    """All of them."""
    related = [
        ("apis", "APIs", "braces", "entity.side", 20, ("component",), ("providesApi", "consumesApi")),
        ("users-of-api", "Used by", "plug", "entity.side", 20, ("api",), ("apiProvidedBy", "apiConsumedBy")),
        ("contents", "What belongs to it", "layers", "entity.main", 32, ("system", "domain"), ("hasPart",)),
        ("parts", "Parts", "boxes", "entity.side", 24, ("component",), ("hasPart",)),
        ("owns", "Owns", "boxes", "entity.main", 34, ("group", "user"), ("ownerOf",)),
    ]
    found: list[UICard] = [RelatedCard(catalog, *options) for options in related]
    found += [
        RelationsCard(catalog),
        AboutCard(catalog, records, insight),
        LinksCard(),
        ReadmeCard(catalog, records),
        RemoteReadmeCard(catalog, records),
        CodeOwnersCard(catalog, insight),
    ]
    return found


def ref_of(entity: Mapping[str, Any]) -> str:
    """The ref of an entity as the API returns it."""
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata.get('namespace', 'default')}/{metadata['name']}".lower()


def kind_of(ctx: CardContext) -> str:
    """The kind of the page's entity, lower case; empty on the home page."""
    return str(ctx.entity["kind"]).lower() if ctx.entity is not None else ""


def entity_of(ctx: CardContext) -> Mapping[str, Any]:
    """The page's entity. Raises LookupError where there is none."""
    if ctx.entity is None:
        raise LookupError("this card stands on an entity's page")
    return ctx.entity


class OwnCard:
    """What our cards share."""

    id = ""
    slot = "entity.main"
    order = 50
    lazy = False

    def applies(self, ctx: CardContext) -> bool:
        """On every entity's page."""
        return ctx.entity is not None


class RelationsCard(OwnCard):
    """The graph of the neighbours."""

    id = "catalog.relations"
    order = 20

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """Where there is no better picture: what has parts shows those."""
        found = ctx.entity.get("relations", ()) if ctx.entity else ()
        types = {item["type"] for item in found}
        better = {"system": {"hasPart"}, "domain": {"hasPart"}, "group": {"childOf", "parentOf"}}
        return ctx.entity is not None and not types & better.get(kind_of(ctx), set())

    def render(self, ctx: CardContext) -> Rendered:
        """Depth 1; what does not fit is counted."""
        ref = ref_of(entity_of(ctx))
        graph = self._catalog.graph(ref, depth=1, types=_DRAWN.get(kind_of(ctx), ()), limit=_CARD_NODES)
        drawing = draw(graph, self._catalog.kinds, label=f"Relations of {entity_of(ctx)['metadata']['name']}")
        values = {
            "drawing": drawing,
            "alone": len(graph.refs) == 1,
            "hidden": graph.hidden,
            "path": ref.replace(":", "/", 1),
        }
        return Rendered("catalog/_card_relations.html", values)


class AboutCard(OwnCard):
    """Description and facts."""

    id = "catalog.about"
    order = 30

    def __init__(self, catalog: CatalogService, records: RecordService, insight: InsightService) -> None:
        self._catalog = catalog
        self._records = records
        self._insight = insight

    def render(self, ctx: CardContext) -> Rendered:
        """What the file says, and where the file is."""
        found = self._catalog.get(ref_of(entity_of(ctx)))
        spec, metadata = found.spec, found.metadata
        parents = found.related("partOf")
        links = links_of([*parents, found.owner or ""], self._catalog)
        repository = found.annotations.get("backstage.io/source-location", "").removeprefix("url:")
        profile = spec.get("profile")
        return Rendered(
            "catalog/_card_about.html",
            {
                "entity": found,
                "description": metadata.get("description") or "",
                "owner": links.get(found.owner or ""),
                "code_owners": None if is_remote(found) else self._insight.code_owners(found),
                "parents": [links[ref] for ref in parents],
                "lifecycle": spec.get("lifecycle"),
                "tone": tone_of(str(spec.get("lifecycle", ""))),
                "type": spec.get("type"),
                "tags": metadata.get("tags") or [],
                "labels": sorted((metadata.get("labels") or {}).items()),
                "repository": repository if is_safe_link(repository) else None,
                "email": _email(profile),
                "targets": _targets(found.data) if found.kind == "Location" else [],
                "path": found.path,
            },
        )


class LinksCard(OwnCard):
    """Links of the entity; only addresses that are safe to follow become links."""

    id = "catalog.links"
    slot = "entity.side"
    order = 40

    def applies(self, ctx: CardContext) -> bool:
        """When it has links."""
        return ctx.entity is not None and bool(ctx.entity["metadata"].get("links"))

    def render(self, ctx: CardContext) -> Rendered:
        """Title, or the address itself."""
        links = entity_of(ctx)["metadata"]["links"]
        safe = [
            (link.get("title") or link["url"], link["url"], _LINK_ICONS.get(link.get("icon", ""), "link"))
            for link in links
            if is_safe_link(link["url"])
        ]
        unsafe = [(link.get("title") or "", link["url"]) for link in links if not is_safe_link(link["url"])]
        return Rendered("catalog/_card_links.html", {"links": safe, "unsafe": unsafe})


class ReadmeCard(OwnCard):
    """The README beside the entity's file."""

    id = "catalog.readme"
    order = 60

    def __init__(self, catalog: CatalogService, records: RecordService) -> None:
        self._catalog = catalog
        self._records = records

    def applies(self, ctx: CardContext) -> bool:
        """For what has files of its own."""
        return kind_of(ctx) in ("component", "api", "resource", "system", "domain", "template")

    def render(self, ctx: CardContext) -> Rendered | None:
        """Rendered Markdown; nothing when there is no README."""
        entity = self._catalog.get(ref_of(entity_of(ctx)))
        return self._shown(entity) if is_remote(entity) == self.lazy else None

    def _shown(self, entity: Entity) -> Rendered | None:
        try:
            readme = self._records.readme(entity)
        except FlagstoneError:
            return None
        html, _headings = readme_html(readme, entity)
        return Rendered("catalog/_card_readme.html", {"html": html, "path": entity.path, "file": readme.path})


class RemoteReadmeCard(ReadmeCard):
    """The README of what another host holds: no page waits for that host."""

    id = "catalog.readme-remote"
    lazy = True

    def applies(self, ctx: CardContext) -> bool:
        """For what was read from an address."""
        return super().applies(ctx) and _from_address(ctx)


class CodeOwnersCard(OwnCard):
    """Whom CODEOWNERS names for what another host holds; what is read here has them among its facts."""

    id = "catalog.code-owners"
    slot = "entity.side"
    order = 45
    lazy = True

    def __init__(self, catalog: CatalogService, insight: InsightService) -> None:
        self._catalog = catalog
        self._insight = insight

    def applies(self, ctx: CardContext) -> bool:
        """For what was read from an address."""
        return _from_address(ctx)

    def render(self, ctx: CardContext) -> Rendered | None:
        """Nothing when the repository is not known or has no such file."""
        found = self._insight.code_owners(self._catalog.get(ref_of(entity_of(ctx))))
        return Rendered("catalog/_card_code_owners.html", {"code_owners": found}) if found else None


def _from_address(ctx: CardContext) -> bool:
    if ctx.entity is None:
        return False
    annotations = ctx.entity["metadata"].get("annotations") or {}
    return str(annotations.get("backstage.io/managed-by-location", "")).startswith("url:")


@dataclass(frozen=True, slots=True)
class Group:
    """Some related entities under a heading."""

    label: str
    links: Sequence[Any]
    hidden: int


_LABELS = {
    "providesApi": "Provides",
    "consumesApi": "Consumes",
    "apiProvidedBy": "Provided by",
    "apiConsumedBy": "Consumed by",
    "hasPart": "",
    "hasMember": "",
    "childOf": "Belongs to",
    "parentOf": "Teams below",
    "memberOf": "",
    "ownerOf": "",
}


class RelatedCard(OwnCard):
    """Entities related in one or two ways, as a list."""

    def __init__(
        self,
        catalog: CatalogService,
        name: str,
        title: str,
        icon: str,
        slot: str,
        order: int,
        kinds: Collection[str],
        types: Sequence[str],
    ) -> None:
        self.id = f"catalog.{name}"
        self.slot = slot
        self.order = order
        self._catalog = catalog
        self._title = title
        self._icon = icon
        self._kinds = kinds
        self._types = types

    def applies(self, ctx: CardContext) -> bool:
        """For its kinds, when there is something to show."""
        if ctx.entity is None or kind_of(ctx) not in self._kinds:
            return False
        return any(item["type"] in self._types for item in ctx.entity.get("relations", ()))

    def render(self, ctx: CardContext) -> Rendered:
        """The first few of each; all of them are on the page of relations."""
        entity = entity_of(ctx)
        refs = {
            type_: [item["targetRef"] for item in entity.get("relations", ()) if item["type"] == type_]
            for type_ in self._types
        }
        rows = self._catalog.rows([ref for some in refs.values() for ref in some[:_FEW]])
        groups = [
            Group(
                _LABELS.get(type_, type_),
                [link_of(ref, rows.get(ref), self._catalog.kinds) for ref in some[:_FEW]],
                max(0, len(some) - _FEW),
            )
            for type_, some in refs.items()
            if some
        ]
        path = ref_of(entity).replace(":", "/", 1)
        return Rendered(
            "catalog/_card_related.html", {"title": self._title, "icon": self._icon, "groups": groups, "path": path}
        )


def _email(profile: object) -> str | None:
    email = profile.get("email") if isinstance(profile, Mapping) else None
    return email if isinstance(email, str) and is_safe_link(f"mailto:{email}") else None


def _targets(entity: Mapping[str, Any]) -> list[str]:
    spec = entity.get("spec") or {}
    return [text for text in (spec.get("target"), *(spec.get("targets") or ())) if isinstance(text, str)]
