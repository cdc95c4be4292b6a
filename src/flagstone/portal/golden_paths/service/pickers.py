"""What only the catalog, the platform and the caller can tell of a field: choices, names of references, suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogQuery, CatalogService
from flagstone.portal.golden_paths.model import GoldenPath
from flagstone.portal.golden_paths.service.form_fields import FormFieldRegistry
from flagstone.sdk import FormContext
from flagstone.toolkit.web.forms import Fault, Field, Option, RepoUrl, Row, fields, filter_terms, flat, host_parts

_NAMES = ("name", "component_id", "componentName", "component_name", "serviceName", "service_name")
_MAX_OPTIONS = 100
_PARTS = {
    "owner": ("owner", "allowedOwners", "Owner"),
    "organization": ("organization", "allowedOrganizations", "Organization"),
    "workspace": ("workspace", "allowedWorkspaces", "Workspace"),
    "project": ("project", "allowedProjects", "Project"),
    "repo": ("repo", "allowedRepos", "Repository"),
}


class Pickers:
    """Completes and checks fields."""

    def __init__(self, catalog: CatalogService, gateway: RunGateway, registry: FormFieldRegistry) -> None:
        self._catalog = catalog
        self._gateway = gateway
        self._registry = registry

    @property
    def controls(self) -> Mapping[str, str]:
        """Controls of the fields that plugins bring."""
        return self._registry.controls

    def drawn(
        self,
        path: GoldenPath,
        page: dict[str, Any],
        principal: Principal,
        values: Mapping[str, Any],
        said: Mapping[str, str],
    ) -> tuple[Field, ...]:
        """The fields of one page as they are shown; ``said`` is what is wrong, by name."""
        return self.complete(path, fields(page, values, said, self.controls), principal, values)

    def complete(
        self, path: GoldenPath, drawn: tuple[Field, ...], principal: Principal, values: Mapping[str, Any]
    ) -> tuple[Field, ...]:
        """The same fields with choices, suggestions and what is wrong with their values filled in."""
        return tuple(self._one(path, item, principal, values) for item in drawn)

    def faults(self, path: GoldenPath, principal: Principal, values: Mapping[str, Any]) -> list[Fault]:
        """What is wrong with values for reasons that a schema does not know: no such entity, a plugin's check."""
        found: list[Fault] = []
        for page in path.pages:
            for item in flat(fields(page, values, custom=self.controls)):
                error = None if item.value in (None, "", []) else self._wrong(path, item, principal, values)
                if error:
                    found.append(Fault(item.name, item.label, error))
        return found

    def labels(self, refs: Iterable[str]) -> dict[str, str]:
        """Entity refs to names for people; those that are not in the catalog are left out."""
        rows = self._catalog.rows({ref for ref in refs if ref})
        return {ref: row.title for ref, row in rows.items()}

    def refs_in(self, drawn: tuple[Field, ...]) -> set[str]:
        """The references that fields hold."""
        found: set[str] = set()
        for item in flat(drawn):
            if item.widget in ("entity", "owned") and item.value:
                found.add(str(item.value))
            elif item.widget == "entities":
                found |= {str(ref) for ref in item.value}
        return found

    def resolve(self, drawn: tuple[Field, ...], values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with names that were typed instead of references replaced, where only one entity has that name."""
        found = dict(values)
        for item in drawn:
            text = found.get(item.name)
            if item.widget not in ("entity", "owned") or not isinstance(text, str) or not text:
                continue
            if self._catalog.rows({text}):
                continue
            typed = text.rpartition("/")[2].strip().lower()
            query = CatalogQuery(filters=filter_terms(dict(item.rule)), text=typed, limit=_MAX_OPTIONS)
            named = [
                row.ref for row in self._catalog.list(query).items if typed in (row.title.lower(), row.name.lower())
            ]
            if len(named) == 1:
                found[item.name] = named[0]
        return found

    def _one(self, path: GoldenPath, item: Field, principal: Principal, values: Mapping[str, Any]) -> Field:
        if item.widget == "groups":
            return self._groups(item, principal)
        if item.widget == "repo":
            return self._repo(item, values)
        if item.fields or item.rows:
            rows = tuple(Row(row.name, self.complete(path, row.fields, principal, values)) for row in item.rows)
            return replace(item, fields=self.complete(path, item.fields, principal, values), rows=rows)
        plugin = self._registry.find(item.custom)
        if plugin is not None and item.widget == "select":
            ctx = FormContext(principal, path.ref, item.settings, values)
            found = [Option(one.value, one.label, one.note) for one in plugin.options(ctx, "", _MAX_OPTIONS)]
            item = replace(item, options=_with_value(found, item))
        if item.value in (None, "", []) or item.error:
            return item
        error = self._wrong(path, item, principal, values)
        return replace(item, error=error) if error else self._noted(item)

    def _wrong(self, path: GoldenPath, item: Field, principal: Principal, values: Mapping[str, Any]) -> str | None:
        plugin = self._registry.find(item.custom)
        if plugin is not None:
            return plugin.check(FormContext(principal, path.ref, item.settings, values), item.value)
        if item.widget == "owned":
            owners = tuple(sorted(principal.owner_refs))
            return None if self._fits(item, str(item.value), owners) else f"You do not own {item.value}."
        strict = item.settings.get("allowArbitraryValues") is False
        if not strict or item.widget not in ("entity", "entities"):
            return None
        refs = item.value if isinstance(item.value, list) else [item.value]
        bad = next((str(ref) for ref in refs if not self._fits(item, str(ref))), None)
        if bad is None:
            return None
        if self._catalog.rows({bad}):
            return f"{bad} is not one of those that can be chosen here."
        return f"There is no {bad} in the catalog. Choose one from the list."

    def _fits(self, item: Field, ref: str, owners: tuple[str, ...] | None = None) -> bool:
        query = CatalogQuery(refs=(ref.lower(),), filters=filter_terms(dict(item.rule)), owners=owners, limit=1)
        return bool(self._catalog.list(query).items)

    def _noted(self, item: Field) -> Field:
        if item.widget == "entity" and not self._catalog.rows({str(item.value)}):
            return replace(item, note=f"{item.value} is not in the catalog yet.")
        return item

    def _groups(self, item: Field, principal: Principal) -> Field:
        refs = tuple(sorted(principal.groups))
        query = CatalogQuery(refs=refs, filters=filter_terms(dict(item.rule)), limit=_MAX_OPTIONS)
        rows = {row.ref: row for row in self._catalog.list(query).items} if refs else {}
        # A group that only the sign-in knows is offered, too, unless the template filters by what the catalog says.
        filtered = bool(item.settings.get("catalogFilter"))
        options = [Option(ref, rows[ref].title if ref in rows else ref) for ref in refs if ref in rows or not filtered]
        note = item.note if options else "You are not in any group that the catalog knows."
        return replace(item, options=_with_value(options, item), note=note)

    def _repo(self, item: Field, values: Mapping[str, Any]) -> Field:
        settings = dict(item.settings)
        if not settings.get("allowedHosts"):
            settings["allowedHosts"] = list(self._gateway.info().repo_hosts) or ["github.com"]
        repo = item.repo or RepoUrl()
        name = next((str(values[key]) for key in _NAMES if isinstance(values.get(key), str)), "")
        if not repo.repo and not item.error and item.required:
            repo = replace(repo, repo=name)
        settings["parts"] = [_PARTS[part] for part in host_parts(repo.host or settings["allowedHosts"][0])]
        note = item.note
        if repo.host and repo.host not in settings["allowedHosts"]:
            note = f"{repo.host} is not among the hosts that this golden path allows."
        return replace(item, settings=settings, repo=repo, note=note)


def _with_value(options: list[Option], item: Field) -> tuple[Option, ...]:
    known = {option.value for option in options}
    extra = [Option(str(item.value), str(item.value))] if item.value and item.value not in known else []
    return (*extra, *options)
