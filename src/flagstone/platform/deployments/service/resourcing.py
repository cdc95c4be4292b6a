"""The resources that workloads declare: whether they are there, what they give, and keeping their secrets to workloads.

Values are read when a workload is brought up, each time anew, and are stored nowhere: releases hold placeholders.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flagstone.contracts.gateway import DeploymentQuery
from flagstone.foundation.vault import Masker
from flagstone.kernel.errors import Invalid, Problem
from flagstone.platform.deployments.model import Deployment, Release, score
from flagstone.platform.deployments.service.workloads import SCORE_FILE
from flagstone.platform.deployments.store import DeploymentStore, ReleaseStore
from flagstone.platform.resources import Found, Need, Resource, ResourceProvider
from flagstone.sdk import RuntimeStatus

Outputs = Mapping[str, Mapping[str, Any]]
"""Outputs by the names under which the workload declares its resources."""

_HIDDEN = "[secret]"
_LATER = "(known once it is there)"


class Resourcing:
    """See the module."""

    def __init__(self, provider: ResourceProvider, store: DeploymentStore, releases: ReleaseStore) -> None:
        self._provider = provider
        self._store = store
        self._releases = releases
        self._secrets: dict[str, frozenset[str]] = {}
        self._maskers: dict[str, Masker] = {}
        self._lock = threading.Lock()

    def missing(
        self,
        workload: Mapping[str, Any],
        entity_ref: str,
        environment: str,
        owner: str | None,
        line: score.Line = lambda _path: None,
    ) -> list[Problem]:
        """A fault for each declared resource that cannot be used, and how to ask for it."""
        found = self._provider.look(entity_ref, environment, owner, needs(workload))
        return [
            Problem(
                one.problem,
                file=SCORE_FILE,
                line=line(("resources", one.need.name)),
                field=f"resources.{one.need.name}",
                hint=self._hint(one),
            )
            for one in found
            if one.problem
        ]

    def values(self, deployment: Deployment, release: Release) -> Outputs:
        """All outputs, the secret ones included. Raises Invalid for each resource that cannot be used."""
        wanted = needs(release.workload)
        if not wanted:
            return {}
        place = (deployment.entity_ref, deployment.environment)
        problems = self.missing(release.workload, *place, deployment.owner)
        if problems:
            raise Invalid(
                "deployments.missing_resources",
                f"What {release.workload_name} needs is not there in {deployment.environment}: "
                f"{'; '.join(problem.message for problem in problems)}.",
                hint=problems[0].hint,
                problems=problems,
            )
        found = self._provider.look(*place, deployment.owner, wanted)
        values: dict[str, Mapping[str, Any]] = {}
        secrets: set[str] = set()
        for one in found:
            if one.resource is not None:
                hidden = self._provider.secrets(one.resource)
                secrets.update(hidden.values())
                values[one.need.name] = {**one.resource.outputs, **hidden}
        self._remember(deployment.id, secrets)
        return values

    def shown(self, workload: Mapping[str, Any], entity_ref: str, environment: str, owner: str | None) -> Outputs:
        """For plans: what is known, secrets as such, and a word where the resource is not there yet."""
        values: dict[str, Mapping[str, Any]] = {}
        for one in self._provider.look(entity_ref, environment, owner, needs(workload)):
            if one.resource is not None and not one.problem:
                values[one.need.name] = {**one.resource.outputs, **dict.fromkeys(one.resource.secret_names, _HIDDEN)}
            else:
                values[one.need.name] = self._foretold(one.need)
        return values

    def facts(
        self, workload: Mapping[str, Any], entity_ref: str, environment: str, owner: str | None
    ) -> dict[str, str]:
        """For plans: what each declared resource is that is there, and what it was made with in another way."""
        facts: dict[str, str] = {}
        for one in self._provider.look(entity_ref, environment, owner, needs(workload)):
            if one.resource is None or one.problem:
                continue
            made = one.resource.params
            others = [
                f"{name} {made.get(name)}, not {value}"
                for name, value in one.need.params.items()
                if made.get(name) != value
            ]
            text = f"{one.resource.type} {one.resource.name} of {one.resource.definition}"
            facts[f"Resource {one.need.name}"] = f"{text}, made with {', '.join(others)}" if others else text
        return facts

    def status(self, deployment: Deployment, status: RuntimeStatus) -> RuntimeStatus:
        """A report of a runtime without the secrets of the workload's resources."""
        masker = self.masker(deployment)
        return replace(
            status, message=masker.mask(status.message), last_log=tuple(masker.mask(line) for line in status.last_log)
        )

    def masker(self, deployment: Deployment) -> Masker:
        """Replaces the secrets that a deployment was given since this process began, or would be given now."""
        with self._lock:
            known = self._maskers.get(deployment.id)
        if known is not None:
            return known
        release = self._releases.get(deployment.current_release_id) if deployment.current_release_id else None
        secrets: set[str] = set()
        place = (deployment.entity_ref, deployment.environment, deployment.owner)
        for one in self._provider.look(*place, needs(release.workload if release else {})):
            if one.resource is not None:
                secrets.update(self._provider.secrets(one.resource).values())
        return self._remember(deployment.id, secrets)

    def users(self, resource: Resource) -> list[str]:
        """Deployments whose release declares a resource, in words."""
        return [
            f"{deployment.workload} in {deployment.environment}"
            for deployment, release in self._deployments(resource)
            if any(
                need.uid(deployment.entity_ref, deployment.environment) == resource.id
                for need in needs(release.workload)
            )
        ]

    def _deployments(self, resource: Resource) -> Iterator[tuple[Deployment, Release]]:
        query = DeploymentQuery(entity_ref=resource.entity_ref, environment=resource.environment)
        while True:
            page = self._store.list(query)
            releases = self._releases.get_many([one.current_release_id for one in page.items if one.current_release_id])
            for one in page.items:
                release = releases.get(one.current_release_id or "")
                if release is not None:
                    yield one, release
            if page.next_cursor is None:
                return
            query = query.model_copy(update={"cursor": page.next_cursor})

    def _remember(self, deployment_id: str, secrets: set[str]) -> Masker:
        with self._lock:
            # Lines with earlier values are still in the log.
            every = self._secrets.get(deployment_id, frozenset()) | secrets
            if every != self._secrets.get(deployment_id) or deployment_id not in self._maskers:
                self._secrets[deployment_id] = every
                self._maskers[deployment_id] = Masker(every)
            return self._maskers[deployment_id]

    def _foretold(self, need: Need) -> Mapping[str, Any]:
        outputs = self._provider.foretold(need)
        return {name: _HIDDEN if secret else _LATER for name, secret in outputs.items()} if outputs else _Anything()

    def _hint(self, found: Found) -> str:
        if self._provider.foretold(found.need):
            return found.hint
        return (
            f"No plugin brings the resource type {found.need.type}: remove the resource, and give the workload the "
            "address of an existing one in its variables."
        )


class _Anything(dict[str, Any]):
    """Outputs of a type that nobody knows."""

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, _name: str) -> str:
        return _LATER


def needs(workload: Mapping[str, Any]) -> list[Need]:
    """What a Score document declares. With an ``id`` it is shared: it belongs to no component."""
    return [
        Need(name, str(one["type"]), str(one.get("class") or "default"), one.get("id"), one.get("params") or {})
        for name, one in workload.get("resources", {}).items()
    ]
