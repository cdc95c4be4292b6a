"""JSON API of golden paths."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.portal.golden_paths.model import GoldenPath, unregistered
from flagstone.portal.golden_paths.model.checking import Finding
from flagstone.portal.golden_paths.permissions import READ, RUN
from flagstone.portal.golden_paths.service import GoldenPathService, Prefills, TemplateChecks
from flagstone.toolkit.yaml import load_documents


class TemplateItem(BaseModel):
    """A golden path in a list."""

    ref: str
    namespace: str
    name: str
    title: str
    description: str
    type: str
    owner: str | None
    lifecycle: str
    tags: list[str]
    what_you_get: list[str]
    recommended: bool
    deprecated: bool


class TemplateList(BaseModel):
    """A page of golden paths."""

    items: list[TemplateItem]
    next_cursor: str | None = None


class TemplateStep(BaseModel):
    """One page of the form."""

    title: str
    description: str = ""
    json_schema: dict[str, Any] = Field(serialization_alias="schema")


class TemplateForm(TemplateItem):
    """A golden path with its form. ``steps`` are the pages of the form; ``actions`` are what a run does."""

    version: str
    base: str
    steps: list[TemplateStep]
    actions: list[dict[str, Any]]


class PlanBody(BaseModel):
    """Answers."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    entity: str | None = Field(default=None, max_length=300)
    """Ref of the entity that a day-2 action is about: what the form takes from it does not have to be answered."""


class TemplateBody(BaseModel):
    """The text of a template's file."""

    model_config = ConfigDict(extra="forbid")

    template: str = Field(max_length=2_000_000)
    """YAML; it may hold other documents, too."""
    file: str = Field(default="template.yaml", max_length=500)


class PreviewBody(PlanBody):
    """A template that is not registered, the files beside it, and answers."""

    template: str = Field(max_length=2_000_000)
    files: dict[str, str] = Field(default_factory=dict)
    """Path, relative to the template, to base64."""


class FindingItem(BaseModel):
    """Something that is wrong with a template, and where."""

    severity: Literal["error", "warning"]
    code: str
    message: str
    place: str
    hint: str
    file: str | None
    line: int | None


class CheckAnswer(BaseModel):
    """What the template checker says. ``valid``: there is no error."""

    valid: bool
    findings: list[FindingItem]


class RunBody(PlanBody):
    """Answers, and what makes a repeated request harmless."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    idempotency_key: str | None = Field(default=None, alias="idempotencyKey", max_length=200)
    plan_digest: str | None = Field(default=None, alias="planDigest", max_length=200)
    rerun_of: str | None = Field(default=None, alias="rerunOf", max_length=100)
    """Id of the run whose answers these are."""


def _item(path: GoldenPath) -> dict[str, Any]:
    return {
        "ref": path.ref,
        "namespace": path.namespace,
        "name": path.name,
        "title": path.title,
        "description": path.description,
        "type": path.type,
        "owner": path.owner,
        "lifecycle": path.lifecycle,
        "tags": list(path.tags),
        "what_you_get": list(path.what_you_get),
        "recommended": path.recommended,
        "deprecated": path.deprecated,
    }


def _checked(found: list[Finding]) -> CheckAnswer:
    items = [
        FindingItem(
            severity=item.severity,
            code=item.code,
            message=item.message,
            place=item.place,
            hint=item.hint,
            file=item.file,
            line=item.line,
        )
        for item in found
    ]
    return CheckAnswer(valid=all(item.severity != "error" for item in found), findings=items)


def _template(text: str) -> GoldenPath:
    documents = load_documents(text, name="template.yaml")
    found = [item.value for item in documents if isinstance(item.value, dict) and item.value.get("kind") == "Template"]
    if len(found) != 1:
        raise Invalid(
            "golden_paths.no_template_document",
            f"There are {len(found)} templates in what was sent.",
            hint="Send one document of kind Template.",
        )
    return unregistered(found[0], "inline:template.yaml")


def _check_routes(routes: APIRouter, paths: GoldenPathService, checks: TemplateChecks) -> None:
    @routes.post("/check", summary="Check the text of a template")
    def check_text(body: TemplateBody, _: Annotated[Principal, permit(READ)]) -> CheckAnswer:
        """Everything that is wrong, with file, line and path; nothing is kept."""
        return _checked(checks.of_text(body.template, body.file))

    @routes.post("/preview", summary="What a run of an unregistered template would do")
    def preview(body: PreviewBody, principal: Annotated[Principal, permit(RUN)]) -> Plan:
        """The plan; nothing is kept or changed."""
        return paths.preview(principal, _template(body.template), body.values, body.secrets, body.files)

    @routes.get("/{namespace}/{name}/check", summary="Check a golden path")
    def check(namespace: str, name: str, _: Annotated[Principal, permit(READ)]) -> CheckAnswer:
        """Everything that is wrong with it."""
        return _checked(checks.of(paths.get(namespace, name)))


def router(paths: GoldenPathService, checks: TemplateChecks, prefills: Prefills) -> APIRouter:
    """Routes under ``/api/v1/templates``."""
    routes = APIRouter(prefix="/api/v1/templates", tags=["golden paths"])
    _check_routes(routes, paths, checks)

    def answered(path: GoldenPath, body: PlanBody) -> dict[str, Any]:
        return {**json.loads(prefills.of_entity(path, body.entity)), **body.values} if body.entity else body.values

    @routes.get("", summary="Golden paths")
    def list_templates(
        _: Annotated[Principal, permit(READ)], text: str = "", cursor: str | None = None, limit: int = 50
    ) -> TemplateList:
        """Golden paths by title, those that are recommended first."""
        found = paths.gallery(text, cursor=cursor, limit=limit)
        items = [TemplateItem(**_item(path)) for path in (*found.recommended, *found.others)]
        return TemplateList(items=items, next_cursor=found.next_cursor)

    @routes.get("/{namespace}/{name}", summary="A golden path and its form")
    def get_template(namespace: str, name: str, _: Annotated[Principal, permit(READ)]) -> TemplateForm:
        """The pages of the form as JSON Schema, and the steps that a run does."""
        path = paths.get(namespace, name)
        steps = [
            TemplateStep(title=str(page["title"]), description=str(page.get("description") or ""), json_schema=page)
            for page in path.pages
        ]
        actions = [{key: step[key] for key in ("id", "name", "action") if key in step} for step in path.steps]
        return TemplateForm(**_item(path), version=path.version, base=path.base, steps=steps, actions=actions)

    @routes.post("/{namespace}/{name}/plan", summary="What a run would do")
    def plan(namespace: str, name: str, body: PlanBody, principal: Annotated[Principal, permit(RUN)]) -> Plan:
        """The plan for these values; nothing is changed."""
        path = paths.get(namespace, name)
        return paths.plan(principal, path, answered(path, body), body.secrets, entity_ref=body.entity)

    @routes.post("/{namespace}/{name}/runs", summary="Start a run", status_code=status.HTTP_201_CREATED)
    def start(namespace: str, name: str, body: RunBody, principal: Annotated[Principal, permit(RUN)]) -> RunView:
        """Start a run: only if the plan still has the digest, where one is given; the same key gives the same run."""
        path = paths.get(namespace, name)
        return paths.start(
            principal,
            path,
            answered(path, body),
            body.secrets,
            entity_ref=body.entity,
            plan_digest=body.plan_digest,
            key=body.idempotency_key,
            rerun_of=body.rerun_of,
        )

    return routes
