"""Day-2 actions: golden paths that are attached to entities which are there already."""

from __future__ import annotations

from flagstone.kernel.errors import Invalid
from flagstone.portal.catalog import CatalogQuery, CatalogService, Entity
from flagstone.portal.golden_paths.model import GoldenPath, golden_path
from flagstone.toolkit.web.forms import filter_terms

_MOST = 500


class Attachments:
    """Finds the golden paths of an entity. Which templates are attached at all is remembered until the catalog
    changes.
    """

    def __init__(self, catalog: CatalogService, features: frozenset[str] = frozenset()) -> None:
        self._catalog = catalog
        self._features = features
        self._known: tuple[int, tuple[GoldenPath, ...]] = (-1, ())

    def of(self, ref: str) -> list[GoldenPath]:
        """What can be done with an entity, by title."""
        return [path for path in self._attached() if self.fits(path, ref)]

    def fits(self, path: GoldenPath, ref: str) -> bool:
        """Whether a golden path is attached to an entity."""
        if not path.attach_to:
            return False
        rule = {"ui:options": {"catalogFilter": list(path.attach_to)}}
        query = CatalogQuery(refs=(ref.lower(),), filters=filter_terms(rule), limit=1)
        return bool(self._catalog.list(query).items)

    def subject(self, path: GoldenPath, ref: str | None) -> Entity | None:
        """The entity that a run is about; None when the golden path is attached to none.

        Raises Invalid (``golden_paths.not_attached``) for one that it is not attached to.
        """
        if not ref or not path.attach_to:
            return None
        entity = self._catalog.find(ref)
        if entity is None or not self.fits(path, entity.ref):
            raise Invalid(
                "golden_paths.not_attached",
                f"{path.title} is not for {ref:.200}.",
                hint="Start it from the page of an entity that fits spec.attachTo of the template.",
            )
        return entity

    def _attached(self) -> tuple[GoldenPath, ...]:
        revision = self._catalog.revision()
        if self._known[0] == revision:
            return self._known[1]
        refs: list[str] = []
        cursor: str | None = None
        while len(refs) < _MOST:
            page = self._catalog.list(CatalogQuery(kinds=("template",), limit=100, cursor=cursor))
            refs += [row.ref for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        found = [golden_path(entity, self._features) for entity in self._catalog.get_many(refs).values()]
        attached = sorted((path for path in found if path.attach_to), key=lambda path: path.title.lower())
        self._known = (revision, tuple(attached))
        return self._known[1]
