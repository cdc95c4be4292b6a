"""``catalog:fetch`` and ``catalog:delete-entity``: entities that the catalog knew when the run was asked for.

The platform does not ask the portal. Whoever starts the run looks the entities up, as far as the inputs say which
before it begins, and sends them along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from flagstone.builtin.actions.describe import READS_ONLY, example
from flagstone.builtin.actions.permissions import UNREGISTER
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.kernel.refs import parse_ref
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext

_ORIGIN = "backstage.io/managed-by-origin-location"
_MOST = 100


class CatalogFetch(Action):
    """Read one or several entities of the catalog, as they were when the run was asked for.

    Which ones must be known then: from the answers, from whoever starts the run, or as written. A reference that is
    made by an earlier step cannot be looked up.
    """

    id = "catalog:fetch"
    title = "Read entities"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Use what the catalog says of the component that was picked",
            """
            - id: component
              action: catalog:fetch
              input: {entityRef: "${{ parameters.component }}", defaultKind: component}
            - id: tell
              action: debug:log
              input: {message: "It belongs to ${{ steps.component.output.entity.spec.owner }}"}
            """,
        ),
        example(
            "Several at once; those that are not there are left out",
            """
            - id: systems
              action: catalog:fetch
              input:
                entityRefs: ["system:default/shop", "system:default/warehouse"]
                optional: true
            """,
        ),
    )

    class Input(Inputs):
        """Either one reference or several."""

        entity_ref: str | None = Field(None, alias="entityRef", description="One entity: [kind:][namespace/]name.")
        entity_refs: list[str] | None = Field(
            None, alias="entityRefs", max_length=_MOST, description="Several; the answer keeps their order."
        )
        optional: bool = Field(False, description="An entity that is not there is no error.")
        default_kind: str | None = Field(None, alias="defaultKind", description="For references without a kind.")
        default_namespace: str | None = Field(
            None, alias="defaultNamespace", description="For references without a namespace; default: default."
        )

        @model_validator(mode="after")
        def _one_of_both(self) -> CatalogFetch.Input:
            if (self.entity_ref is None) == (self.entity_refs is None):
                raise ValueError("give either entityRef or entityRefs")
            return self

    class Output(Outputs):
        """What was asked for: ``entity`` for ``entityRef``, ``entities`` for ``entityRefs``."""

        entity: dict[str, Any] | None = Field(None, description="The entity; absent when it is not there.")
        entities: list[dict[str, Any] | None] | None = Field(
            None, description="The entities in the order of the references; null for one that is not there."
        )

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The entities themselves: they are known before the run."""
        found = self._find(ctx, inputs)
        for ref in _refs(inputs):
            ctx.change("entity", "none", ref, "is read")
        return found

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Hand them on."""
        found = self._find(ctx, inputs)
        ctx.log(f"Read {', '.join(_refs(inputs))}.")
        return found

    def _find(self, ctx: ActionContext | PlanContext, inputs: Any) -> Output:
        found: list[dict[str, Any] | None] = []
        for ref in _refs(inputs):
            entity = ctx.entity(ref)
            if entity is None and not inputs.optional:
                raise _missing(ref)
            found.append(dict(entity) if entity is not None else None)
        return self.Output(entity=found[0]) if inputs.entity_ref is not None else self.Output(entities=found)


class CatalogDeleteEntity(Action):
    """Ask the catalog to forget an entity: the location it comes from is unregistered, with all that it brings.

    The file that describes the entity is not touched. Only its owners and maintainers may, and only when everything
    from that location is theirs.
    """

    id = "catalog:delete-entity"
    title = "Remove an entity"
    permission = UNREGISTER
    idempotency = "natural"
    without_undo = "It cannot be undone by itself: register the location again with catalog:register."
    examples = (
        example(
            "Take a retired component out of the catalog",
            """
            - id: forget
              action: catalog:delete-entity
              input: {entityRef: "${{ parameters.component }}"}
            """,
        ),
    )

    class Input(Inputs):
        """Which one."""

        entity_ref: str = Field(alias="entityRef", description="The entity: kind:[namespace/]name.")
        optional: bool = Field(False, description="An entity that is not there is no error.")

    class Output(Outputs):
        """What was asked for."""

        deleted: bool = Field(description="Whether there was one to remove.")
        location: str | None = Field(None, description="The location that is unregistered.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What disappears."""
        found = _location_of(ctx, inputs)
        if found is None:
            ctx.change("entity", "none", inputs.entity_ref, "is not there")
            return self.Output(deleted=False)
        ref, kind, target = found
        ctx.change("location", "delete", f"{kind}:{target}")
        ctx.change("entity", "delete", ref, "with everything else that comes from this location")
        return self.Output(deleted=True, location=f"{kind}:{target}")

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Ask. The catalog compares the owner with the entity's own before it does so."""
        found = _location_of(ctx, inputs)
        if found is None:
            ctx.log(f"{inputs.entity_ref} is not in the catalog.")
            return self.Output(deleted=False)
        ref, kind, target = found
        data = {"type": kind, "target": target, "entity_ref": ref, "owner": ctx.owner, "role": ctx.actor.role}
        ctx.emit("catalog.location.withdrawn", f"{kind}:{target}", data)
        ctx.link(ref)
        ctx.log(f"Asked the catalog to forget {kind}:{target}, and {ref} with it.")
        return self.Output(deleted=True, location=f"{kind}:{target}")


def _refs(inputs: Any) -> list[str]:
    given = [inputs.entity_ref] if inputs.entity_ref is not None else inputs.entity_refs
    default = inputs.default_namespace or "default"
    return [str(parse_ref(ref, default_kind=inputs.default_kind, default_namespace=default)) for ref in given]


def _location_of(ctx: ActionContext | PlanContext, inputs: Any) -> tuple[str, str, str] | None:
    """(ref, type, target) of where an entity comes from; None when it is not there and need not be."""
    ref = str(parse_ref(inputs.entity_ref))
    entity = ctx.entity(ref)
    if entity is None:
        if inputs.optional:
            return None
        raise _missing(ref)
    metadata = entity.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    kind, _, target = str((annotations or {}).get(_ORIGIN, "")).partition(":")
    if not kind or not target:
        raise Invalid(
            "actions.no_location",
            f"The catalog does not say where {ref} comes from.",
            hint="Unregister its location on the page of the entity.",
        )
    return ref, kind, target


def _missing(ref: str) -> NotFound:
    return NotFound(
        "actions.no_entity_known",
        f"{ref} is not known to this run.",
        hint="Either the catalog has no such entity, or which one it is was not known before the run began: references "
        "made by earlier steps cannot be looked up. Set optional to go on without it.",
    )
