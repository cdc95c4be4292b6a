"""``catalog:write``, ``catalog:register`` and ``catalog:unregister``.

The platform does not know the catalog: what these do is an event, which the portal reads.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import Field, model_validator

from flagstone.builtin.actions.describe import WORKSPACE_ONLY, example
from flagstone.builtin.actions.entities import Described, main_entity, parse
from flagstone.builtin.actions.paths import clean
from flagstone.builtin.actions.permissions import REGISTER, UNREGISTER
from flagstone.kernel.errors import Denied, Invalid, NotFound, Unavailable
from flagstone.sdk import Action, ActionContext, ActionTools, Inputs, Outputs, PlanContext

_SOURCE_TEMPLATE = "backstage.io/source-template"
_DEFAULT_FILE = "catalog-info.yaml"


class CatalogWrite(Action):
    """Write an entity file into the workspace, with a note of the template it came from."""

    id = "catalog:write"
    title = "Write an entity file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Describe a component that has no file of its own yet",
            """
            - id: describe
              action: catalog:write
              input:
                filePath: catalog-info.yaml
                entity:
                  apiVersion: backstage.io/v1alpha1
                  kind: Component
                  metadata: {name: "${{ parameters.name }}"}
                  spec: {type: service, lifecycle: experimental, owner: "${{ parameters.owner }}"}
            """,
        ),
    )

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    class Input(Inputs):
        """The entity and where it goes."""

        file_path: str = Field(_DEFAULT_FILE, alias="filePath", min_length=1, description="Path in the workspace.")
        entity: dict[str, Any] = Field(description="The entity as it would stand in the file.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, written into the throw-away workspace."""
        ctx.change("file", "create", self._write(ctx, inputs))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Write."""
        ctx.log(f"Wrote {self._write(ctx, inputs)}.")
        return self.Output()

    def _write(self, ctx: ActionContext | PlanContext, inputs: Any) -> str:
        entity = dict(inputs.entity)
        if ctx.template_ref:
            metadata = dict(entity.get("metadata") or {})
            metadata["annotations"] = {**(metadata.get("annotations") or {}), _SOURCE_TEMPLATE: ctx.template_ref}
            entity["metadata"] = metadata
        path = clean(inputs.file_path)
        ctx.workspace.write(path, self._tools.write_yaml(entity))
        return path


@dataclass(frozen=True, slots=True)
class _Location:
    type: str
    target: str

    @property
    def url(self) -> str:
        return self.target if self.type == "url" else f"{self.type}:{self.target}"


class CatalogRegister(Action):
    """Ask the catalog to read an entity file, and tell which entities will appear."""

    id = "catalog:register"
    title = "Register in the catalog"
    permission = REGISTER
    idempotency = "natural"
    without_undo = "It is not undone by itself: catalog:unregister takes a location out again."
    examples = (
        example(
            "Register the file of a repository that a step before has made",
            """
            - id: register
              action: catalog:register
              input:
                repoContentsUrl: ${{ steps.publish.output.repoContentsUrl }}
                catalogInfoPath: /catalog-info.yaml
            """,
        ),
        example(
            "Register any location; a file that is not there is no error",
            """
            - id: register
              action: catalog:register
              input:
                catalogInfoUrl: https://git.acme.example/shop/raw/main/catalog-info.yaml
                optional: true
            """,
        ),
    )

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    class Input(Inputs):
        """Either the whole location, or a repository and a path in it."""

        catalog_info_url: str | None = Field(
            None,
            alias="catalogInfoUrl",
            description="The file: hosted:project/repository/path, file:/path or an http(s) address.",
        )
        repo_contents_url: str | None = Field(
            None, alias="repoContentsUrl", description="The repository, as the publish actions give it."
        )
        catalog_info_path: str = Field(
            f"/{_DEFAULT_FILE}", alias="catalogInfoPath", description="Path of the file in that repository."
        )
        optional: bool = Field(False, description="Do not fail when there is no such file.")

        @model_validator(mode="after")
        def _one_of_both(self) -> CatalogRegister.Input:
            if bool(self.catalog_info_url) == bool(self.repo_contents_url):
                raise ValueError("give either catalogInfoUrl or repoContentsUrl")
            return self

    class Output(Outputs):
        """Where it was registered; ``entityRef`` is absent when the file could not be read here."""

        entity_ref: str | None = Field(
            None, alias="entityRef", description="The main entity of the file; absent when it could not be read here."
        )
        catalog_info_url: str = Field(alias="catalogInfoUrl", description="Where it was registered.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The location and the entities in it, read from the workspace as long as there is no repository."""
        location = _location(inputs)
        ctx.change("location", "create", f"{location.type}:{location.target}")
        found = self._read_planned(ctx, location, inputs)
        if found is None:
            ctx.note(f"Which entities will appear is known when {location.url} can be read.")
            return self.Output(catalog_info_url=location.url)
        for entity in found:
            ctx.change("entity", "create", str(entity.ref), **entity.facts)
        return self.Output(entity_ref=str(main_entity(found).ref), catalog_info_url=location.url)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Ask."""
        location = _location(inputs)
        found = self._read(ctx, location, inputs) or []
        refs = [str(entity.ref) for entity in found]
        data = {"type": location.type, "target": location.target, "entity_refs": refs}
        ctx.emit("catalog.location.requested", location.url, data)
        for ref in refs:
            ctx.link(ref)
        ctx.log(f"Asked the catalog to read {location.url}{': ' + ', '.join(refs) if refs else ''}.")
        main = str(main_entity(found).ref) if found else None
        return self.Output(entity_ref=main, catalog_info_url=location.url)

    def _read_planned(self, ctx: PlanContext, location: _Location, inputs: Any) -> list[Described] | None:
        published = self._read_published(ctx, inputs)
        if published is not None:
            return published
        try:
            return _read_hosted(self._tools, ctx, location)
        except (NotFound, Unavailable, Denied):
            return None

    def _read_published(self, ctx: ActionContext | PlanContext, inputs: Any) -> list[Described] | None:
        """The file as it stands in the workspace that was (or will be) published; None when it is not there."""
        path = clean(inputs.catalog_info_path.lstrip("/"))
        if not inputs.repo_contents_url or not ctx.workspace.exists(path):
            return None
        return parse(self._tools, ctx.workspace.read_text(path), path)

    def _read(self, ctx: ActionContext, location: _Location, inputs: Any) -> list[Described] | None:
        try:
            found = _read_hosted(self._tools, ctx, location)
            # Other servers are read by the catalog alone: what was published there is known from the workspace.
            return self._read_published(ctx, inputs) if found is None else found
        except NotFound:
            if inputs.optional:
                ctx.log(f"There is no {location.url}; it is registered anyway.", level="warn")
                return None
            raise


class CatalogUnregister(Action):
    """Ask the catalog to forget a location and what was read from it."""

    id = "catalog:unregister"
    title = "Unregister from the catalog"
    permission = UNREGISTER
    idempotency = "natural"
    without_undo = "It is not undone by itself: catalog:register brings the location back."
    examples = (
        example(
            "Forget a file of a hosted repository",
            """
            - id: forget
              action: catalog:unregister
              input: {type: hosted, target: acme/shop/catalog-info.yaml}
            """,
        ),
    )

    class Input(Inputs):
        """The location."""

        type: str = Field(min_length=1, description="Type of the location: hosted, url or file.")
        target: str = Field(min_length=1, description="Its target.")
        entity_ref: str | None = Field(
            None, alias="entityRef", description="The entity on whose page it was asked for."
        )

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What disappears."""
        ctx.change("location", "delete", f"{inputs.type}:{inputs.target}")
        if inputs.entity_ref:
            ctx.change("entity", "delete", inputs.entity_ref, "with everything else that comes from this location")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Ask. ``owner`` is on whose behalf it was allowed: the catalog compares it with the entity's own."""
        data = {
            "type": inputs.type,
            "target": inputs.target,
            "entity_ref": inputs.entity_ref,
            "owner": ctx.owner,
            "role": ctx.actor.role,
        }
        ctx.emit("catalog.location.withdrawn", f"{inputs.type}:{inputs.target}", data)
        if inputs.entity_ref:
            ctx.link(inputs.entity_ref)
        ctx.log(f"Asked the catalog to forget {inputs.type}:{inputs.target}.")
        return self.Output()


def _location(inputs: Any) -> _Location:
    """Raises Invalid for something that is no location."""
    if inputs.catalog_info_url:
        return _parse_location(inputs.catalog_info_url)
    base, path = inputs.repo_contents_url, inputs.catalog_info_path.lstrip("/")
    if base.startswith("hosted:"):
        return _parse_location(f"{base.rstrip('/')}/{path}")
    return _parse_location(urljoin(base.rstrip("/") + "/", path))


def _parse_location(text: str) -> _Location:
    kind, _, rest = text.partition(":")
    if kind == "hosted" and rest.count("/") >= 2 and ".." not in rest.split("/"):
        return _Location("hosted", posixpath.normpath(rest.lstrip("/")))
    if kind == "file" and rest.startswith("/"):
        return _Location("file", posixpath.normpath(rest))
    if kind == "url":
        text = rest
    if urlsplit(text).scheme in ("http", "https") and urlsplit(text).hostname:
        return _Location("url", text)
    raise Invalid(
        "actions.bad_location",
        f"{text!r} is not where an entity file can be.",
        hint="Write hosted:project/repository/catalog-info.yaml, or an http(s) address.",
    )


def _read_hosted(tools: ActionTools, ctx: ActionContext | PlanContext, location: _Location) -> list[Described] | None:
    """The entities of a file in the built-in git hosting; None for places that only the catalog reads."""
    if location.type != "hosted":
        return None
    project, name, path = location.target.split("/", 2)
    return parse(tools, ctx.source(f"hosted:{project}/{name}").read_text(path), path)
