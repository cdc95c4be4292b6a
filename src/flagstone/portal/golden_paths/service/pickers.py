"""What only the catalog and the caller can tell of a field: choices, names of references, suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogQuery, CatalogService
from flagstone.toolkit.web.forms import Field, Option, RepoUrl, Row, flat

_NAMES = ("name", "component_id", "componentName", "component_name", "serviceName", "service_name")
_MAX_OPTIONS = 100


class Pickers:
    """Completes fields."""

    def __init__(self, catalog: CatalogService, gateway: RunGateway) -> None:
        self._catalog = catalog
        self._gateway = gateway

    def complete(self, fields: tuple[Field, ...], principal: Principal, values: Mapping[str, Any]) -> tuple[Field, ...]:
        """The same fields with choices and suggestions filled in."""
        return tuple(self._one(item, principal, values) for item in fields)

    def labels(self, refs: Iterable[str]) -> dict[str, str]:
        """Entity refs to names for people; those that are not in the catalog are left out."""
        rows = self._catalog.rows({ref for ref in refs if ref})
        return {ref: row.title for ref, row in rows.items()}

    def refs_in(self, fields: tuple[Field, ...]) -> set[str]:
        """The references that fields hold."""
        found: set[str] = set()
        for item in flat(fields):
            if item.widget == "entity" and item.value:
                found.add(str(item.value))
            elif item.widget == "entities":
                found |= {str(ref) for ref in item.value}
        return found

    def resolve(self, fields: tuple[Field, ...], values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with names that were typed instead of references replaced, where only one entity has that name."""
        found = dict(values)
        for item in fields:
            text = found.get(item.name)
            if item.widget != "entity" or not isinstance(text, str) or not text or self._catalog.rows({text}):
                continue
            typed = text.rpartition("/")[2].strip().lower()
            kinds = [kind.lower() for kind in item.filters.get("kind", "").split(",") if kind]
            rows = self._catalog.options(kinds, typed, _MAX_OPTIONS)
            named = [row.ref for row in rows if typed in (row.title.lower(), row.name.lower())]
            if len(named) == 1:
                found[item.name] = named[0]
        return found

    def _one(self, item: Field, principal: Principal, values: Mapping[str, Any]) -> Field:
        if item.widget == "groups":
            return self._groups(item, principal)
        if item.widget == "owned":
            return self._owned(item, principal)
        if item.widget == "repo":
            return self._repo(item, values)
        if item.widget == "entity" and item.value and not item.error:
            return self._checked(item)
        if item.fields or item.rows:
            rows = tuple(Row(row.name, self.complete(row.fields, principal, values)) for row in item.rows)
            return replace(item, fields=self.complete(item.fields, principal, values), rows=rows)
        return item

    def _groups(self, item: Field, principal: Principal) -> Field:
        rows = self._catalog.rows(principal.groups)
        options = [Option(ref, rows[ref].title if ref in rows else ref) for ref in sorted(principal.groups)]
        note = item.note if options else "You are not in any group that the catalog knows."
        return replace(item, options=_with_value(options, item), note=note)

    def _owned(self, item: Field, principal: Principal) -> Field:
        kinds = tuple(kind.lower() for kind in item.filters.get("kind", "").split(",") if kind)
        page = self._catalog.owned(principal, CatalogQuery(kinds=kinds, limit=_MAX_OPTIONS))
        options = [Option(row.ref, row.title, row.kind) for row in page.items]
        note = item.note if options else "Nothing that you or your groups own fits here."
        return replace(item, options=_with_value(options, item), note=note)

    def _repo(self, item: Field, values: Mapping[str, Any]) -> Field:
        settings = dict(item.settings)
        if not settings.get("allowedHosts"):
            settings["allowedHosts"] = list(self._gateway.info().repo_hosts) or ["github.com"]
        repo = item.repo or RepoUrl()
        name = next((str(values[key]) for key in _NAMES if isinstance(values.get(key), str)), "")
        if not repo.repo and not item.error:
            repo = replace(repo, repo=name)
        note = item.note
        if repo.host and repo.host not in settings["allowedHosts"]:
            note = f"{repo.host} is not among the hosts that this golden path allows."
        return replace(item, settings=settings, repo=repo, note=note)

    def _checked(self, item: Field) -> Field:
        ref = str(item.value)
        if self._catalog.rows({ref}):
            return item
        if item.settings.get("allowArbitraryValues") is False:
            return replace(item, error=f"There is no {ref} in the catalog. Choose one from the list.")
        return replace(item, note=f"{ref} is not in the catalog yet.")


def _with_value(options: list[Option], item: Field) -> tuple[Option, ...]:
    known = {option.value for option in options}
    extra = [Option(str(item.value), str(item.value))] if item.value and item.value not in known else []
    return (*extra, *options)
