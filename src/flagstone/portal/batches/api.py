"""JSON API: previewing and starting batches. Those that there are, are at the platform's ``/api/v1/batches``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response, status
from pydantic import ConfigDict, Field, SecretStr

from flagstone.contracts.base import Wire
from flagstone.contracts.batches import MAX_SECRETS, BatchView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.portal.batches.model import Answers, AskedSecret, BatchOptions, EntityQuery, Judged
from flagstone.portal.batches.permissions import WRITE
from flagstone.portal.batches.service import BatchPreviews


class BatchBody(BatchOptions):
    """Which entities, with which answers, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: EntityQuery = Field(default_factory=EntityQuery)
    """Without one: everything that a day-2 action is attached to."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Answers that are the same for all; they win over what an entity says."""
    from_entity: dict[str, str] = Field(default_factory=dict, max_length=100)
    """Field to a place in the entity, such as ``metadata.name``; besides what the form itself takes from it."""
    secrets: dict[str, SecretStr] = Field(default_factory=dict, max_length=MAX_SECRETS)
    """Given to every run. Not needed for a preview, which says which are asked for."""
    dry_run: bool = False
    """Only say what would be started; the answer is then a preview."""
    plans: bool = False
    """In a preview: also ask the platform for the plan of each entity, which takes a while for many."""
    digest: str = Field(default="", max_length=200)
    """That of the preview: only what it showed is started."""
    leave_out_invalid: bool = False
    """Start the others when some cannot be run."""
    idempotency_key: str | None = Field(default=None, max_length=200)


class PreviewItem(Wire):
    """One entity. ``verdict``: ready, approval, denied, invalid; unknown without plans."""

    entity: str
    title: str
    valid: bool
    inputs: dict[str, Any] = Field(default_factory=dict)
    verdict: str
    reasons: tuple[str, ...] = ()


class SecretItem(Wire):
    """A secret that the runs are to be given."""

    name: str
    title: str
    help: str = ""
    required: bool = False


class BatchPreview(Wire):
    """What a batch would be of. ``digest`` stands for exactly this."""

    count: int
    valid: int
    digest: str
    items: tuple[PreviewItem, ...]
    secrets: tuple[SecretItem, ...] = ()


def _item(found: Judged) -> PreviewItem:
    item = found.candidate
    inputs = item.request.inputs if item.request else {}
    return PreviewItem(
        entity=item.ref,
        title=item.title,
        valid=item.request is not None,
        inputs=inputs,
        verdict=found.word,
        reasons=found.reasons,
    )


def _secret(item: AskedSecret) -> SecretItem:
    return SecretItem(name=item.name, title=item.label, help=item.help, required=item.required)


def router(previews: BatchPreviews) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["batches"])

    @routes.post(
        "/api/v1/templates/{namespace}/{name}/batches",
        summary="Run a golden path for every entity that a query finds",
        status_code=status.HTTP_201_CREATED,
    )
    def start_batch(
        namespace: str, name: str, body: BatchBody, response: Response, principal: Annotated[Principal, permit(WRITE)]
    ) -> BatchView | BatchPreview:
        """With ``dry_run`` a preview; its digest starts the batch, as long as it would still be the same."""
        path = previews.path(namespace, name)
        query = previews.narrowed(path, body.query)
        given = [name for name, value in body.secrets.items() if value.get_secret_value()]
        preview = previews.prepare(principal, path, query, Answers(body.values, body.from_entity), given)
        if body.dry_run:
            response.status_code = status.HTTP_200_OK
            judged = [previews.judge(principal, item) if body.plans else Judged(item) for item in preview.candidates]
            items = tuple(_item(item) for item in judged)
            return BatchPreview(
                count=len(items),
                valid=len(preview.valid),
                digest=preview.digest,
                items=items,
                secrets=tuple(_secret(item) for item in preview.secrets),
            )
        if not body.digest:
            raise Invalid(
                "batches.no_digest",
                "A batch starts what a preview showed, and no digest of one was given.",
                hint="Send the same with dry_run first, then with its digest.",
            )
        return previews.start(
            principal,
            preview,
            BatchOptions(**body.model_dump(include=set(BatchOptions.model_fields))),
            digest=body.digest,
            secrets=body.secrets,
            leave_out_invalid=body.leave_out_invalid,
            key=body.idempotency_key,
        )

    return routes
