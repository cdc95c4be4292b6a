"""What a picker offers while somebody types: at most 20 choices at a time, of a catalog of any size.

The template says what may be chosen, never the request: a field is looked up in the form by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog import CatalogQuery, CatalogService, EntityRow
from flagstone.portal.golden_paths.model import GoldenPath
from flagstone.portal.golden_paths.service.form_fields import FormFieldRegistry
from flagstone.sdk import FormContext
from flagstone.toolkit.web.forms import Field, fields, filter_terms, flat

PAGE = 20
_MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice. ``kind`` and ``type`` are those of an entity, for its icon."""

    value: str
    label: str
    note: str = ""
    kind: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """A page of choices. ``more`` is the cursor of the next one."""

    items: tuple[Choice, ...]
    more: str | None = None
    message: str = ""
    """Why there is nothing, where that is not plain."""


class ChoiceService:
    """Answers the searches of pickers."""

    def __init__(self, catalog: CatalogService, gateway: RunGateway, registry: FormFieldRegistry) -> None:
        self._catalog = catalog
        self._gateway = gateway
        self._registry = registry

    def find(  # noqa: PLR0911  one per kind of field
        self,
        principal: Principal,
        path: GoldenPath,
        values: Mapping[str, Any],
        page: int,
        name: str,
        text: str = "",
        cursor: str | None = None,
    ) -> Choices:
        """Choices of the field with this name on a page of the form; none for a field that is not there."""
        if not 0 <= page < len(path.pages):
            return Choices(())
        drawn = flat(fields(path.pages[page], values, custom=self._registry.controls))
        item = next((field for field in drawn if field.name == name), None)
        if item is None:
            return Choices(())
        text = text.strip()[:_MAX_TEXT]
        if item.widget in ("entity", "entities", "owned"):
            return self._entities(principal, item, text, cursor)
        if item.custom == "EntityTagsPicker":
            return self._tags(item, text)
        if item.custom == "RepoBranchPicker":
            return self._branches(principal, path, values, text)
        if item.custom == "RepoOwnerPicker":
            return self._owners(principal, item, text)
        plugin = self._registry.find(item.custom)
        if plugin is None:
            return Choices(())
        ctx = FormContext(principal, path.ref, item.settings, values)
        return Choices(tuple(Choice(one.value, one.label, one.note) for one in plugin.options(ctx, text, PAGE)[:PAGE]))

    def _entities(self, principal: Principal, item: Field, text: str, cursor: str | None) -> Choices:
        terms = filter_terms(dict(item.rule))
        only_kinds = len(terms) <= 1 and all(key == "kind" and value for group in terms for key, value in group)
        if text and only_kinds and item.widget != "owned" and cursor is None:
            kinds = [str(value).lower() for group in terms for _, value in group]
            return Choices(_choices(self._catalog.options(kinds, text, PAGE)))
        owners = tuple(sorted(principal.owner_refs)) if item.widget == "owned" else None
        query = CatalogQuery(filters=terms, owners=owners, text=text or None, cursor=cursor, limit=PAGE)
        found = self._catalog.list(query)
        message = "Nothing that you or your groups own fits here." if item.widget == "owned" and not text else ""
        return Choices(_choices(found.items), found.next_cursor, message)

    def _tags(self, item: Field, text: str) -> Choices:
        kinds = item.settings.get("kinds")
        wanted = tuple(str(kind).lower() for kind in kinds) if isinstance(kinds, list) else ()
        values = self._catalog.values(CatalogQuery(kinds=wanted), "metadata.tags")
        counted = item.settings.get("showCounts") is True
        fitting = [value for value in values if text.lower() in value.value.lower()]
        fitting.sort(key=lambda value: (not value.value.startswith(text.lower()), -value.count, value.value))
        return Choices(
            tuple(Choice(one.value, one.value, f"{one.count} entities" if counted else "") for one in fitting[:PAGE])
        )

    def _branches(self, principal: Principal, path: GoldenPath, values: Mapping[str, Any], text: str) -> Choices:
        repo = next(
            (
                item.repo
                for page in path.pages
                for item in flat(fields(page, values))
                if item.widget == "repo" and item.repo and item.repo.repo
            ),
            None,
        )
        if repo is None:
            return Choices((), message="Fill in the repository first, or type the name of the branch.")
        if repo.host != "flagstone":
            return Choices((), message=f"Type the name of the branch: {repo.host} is not asked for its branches.")
        try:
            found = self._gateway.list_branches(f"{repo.owner}/{repo.repo}", principal)
        except FlagstoneError as error:
            return Choices((), message=error.message)
        fitting = [one for one in found if text.lower() in one.name.lower()]
        return Choices(tuple(Choice(one.name, one.name, "default" if one.is_default else "") for one in fitting[:PAGE]))

    def _owners(self, principal: Principal, item: Field, text: str) -> Choices:
        allowed = item.settings.get("allowedOwners")
        left_out = item.settings.get("excludedOwners")
        names: list[str] = [str(name) for name in allowed] if isinstance(allowed, list) else []
        if not names and str(item.settings.get("host") or "flagstone") == "flagstone":
            try:
                hosted = self._gateway.list_repositories(principal).items
            except FlagstoneError as error:
                return Choices((), message=error.message)
            names = sorted({one.name.partition("/")[0] for one in hosted})
        fitting = [name for name in names if text.lower() in name.lower() and name not in (left_out or ())]
        return Choices(tuple(Choice(name, name) for name in fitting[:PAGE]))


def _choices(rows: Sequence[EntityRow]) -> tuple[Choice, ...]:
    return tuple(Choice(row.ref, row.title, row.ref, row.kind, row.type) for row in rows)
