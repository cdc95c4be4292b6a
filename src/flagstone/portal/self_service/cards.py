"""Cards that self service brings to the pages of entities and to the home page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from flagstone.contracts.gateway import DeploymentQuery
from flagstone.contracts.repositories import CommitView, RepositoryView
from flagstone.kernel.errors import FlagstoneError
from flagstone.kernel.ids import new_id
from flagstone.portal.self_service.model import DeploymentLine, deployment_line, origin_of
from flagstone.portal.self_service.service import EntityActions, RunReader, Standing
from flagstone.portal.self_service.web.deployments import deployments_card
from flagstone.portal.self_service.web.runs import RunLine, run_lines
from flagstone.sdk import CardContext, Rendered

_TEMPLATE = "backstage.io/source-template"


def ref_of(entity: Mapping[str, Any]) -> str:
    """The ref of an entity as the API returns it."""
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata.get('namespace') or 'default'}/{metadata['name']}".lower()


def _values(content: object) -> dict[str, Any]:
    return {item.name: getattr(content, item.name) for item in fields(content)}  # type: ignore[arg-type]


def _is_runnable(ctx: CardContext) -> bool:
    return ctx.entity is not None and str(ctx.entity.get("kind", "")).lower() in ("component", "resource")


class DeploymentsCard:
    """Where an entity runs, live."""

    id, slot, order, lazy = "deployments", "entity.main", 20, False

    def __init__(self, actions: EntityActions) -> None:
        self._actions = actions

    def applies(self, ctx: CardContext) -> bool:
        """For what can run, when there is a platform."""
        return _is_runnable(ctx) and self._actions.gateway.info().connected

    def render(self, ctx: CardContext) -> Rendered | None:
        """One line for each environment; hidden for what neither runs nor could."""
        assert ctx.entity is not None
        card = deployments_card(self._actions, ctx.principal, ref_of(ctx.entity))
        if not card.lines and origin_of(ctx.entity) is None:
            return None
        return Rendered("self_service/card_deployments.html", _values(card))


@dataclass(frozen=True, slots=True)
class _ActionsContent:
    standing: Standing
    href: str
    key: str
    target: str
    others: tuple[str, ...]
    deployed: bool


class ActionsCard:
    """Deploy, stop, start, delete."""

    id, slot, order, lazy = "actions", "entity.actions", 10, False

    def __init__(self, actions: EntityActions) -> None:
        self._actions = actions

    def applies(self, ctx: CardContext) -> bool:
        """For what can run, when there is a platform."""
        return _is_runnable(ctx) and self._actions.gateway.info().connected

    def render(self, ctx: CardContext) -> Rendered | None:
        """The buttons; those that are not allowed say why."""
        assert ctx.entity is not None
        standing = self._actions.standing(ctx.principal, ref_of(ctx.entity))
        if not standing.has_actions:
            return None
        names = [item.name for item in standing.environments]
        deployed = [line.view.environment for line in standing.lines]
        target = next(iter([*deployed, *names]), "development")
        content = _ActionsContent(
            standing=standing,
            href=f"/actions/{standing.entity.path}",
            key=new_id(),
            target=target,
            others=tuple(name for name in names if name != target),
            deployed=bool(deployed),
        )
        return Rendered("self_service/card_actions.html", _values(content))


@dataclass(frozen=True, slots=True)
class _RunsContent:
    lines: tuple[RunLine, ...]
    made_by: RunLine | None
    title: str
    more_href: str | None
    empty: str


class RunsCard:
    """What was done with an entity, and the run that made it."""

    id, slot, order, lazy = "runs", "entity.side", 60, True

    def __init__(self, runs: RunReader) -> None:
        self._runs = runs

    def applies(self, ctx: CardContext) -> bool:
        """For every entity, when there is a platform."""
        return ctx.entity is not None and self._runs.platform().connected

    def render(self, ctx: CardContext) -> Rendered | None:
        """The newest runs; hidden when there are none."""
        assert ctx.entity is not None
        ref = ref_of(ctx.entity)
        template = (ctx.entity["metadata"].get("annotations") or {}).get(_TEMPLATE)
        lines = run_lines(self._runs.list(ctx.principal, subject=ref, limit=6).items)
        if not lines:
            return None
        made = self._runs.made_by(ctx.principal, ref, template)
        content = _RunsContent(lines, run_lines((made,))[0] if made else None, "Runs", None, "")
        return Rendered("self_service/card_runs.html", _values(content))


@dataclass(frozen=True, slots=True)
class _RepositoryContent:
    repository: RepositoryView
    commits: tuple[CommitView, ...]
    href: str


class RepositoryCard:
    """Where the code is, for entities of the built-in hosting."""

    id, slot, order, lazy = "repository", "entity.side", 30, True

    def __init__(self, actions: EntityActions) -> None:
        self._actions = actions

    def applies(self, ctx: CardContext) -> bool:
        """For entities that come from the built-in hosting."""
        return ctx.entity is not None and origin_of(ctx.entity) is not None

    def render(self, ctx: CardContext) -> Rendered | None:
        """How to clone it, and the newest commits."""
        origin = origin_of(ctx.entity or {})
        if origin is None:
            return None
        gateway = self._actions.gateway
        repository = gateway.get_repository(origin.repository, ctx.principal)
        commits = tuple(gateway.repository_commits(repository.name, ctx.principal, limit=4)) if repository.head else ()
        return Rendered(
            "self_service/card_repository.html", _values(_RepositoryContent(repository, commits, origin.href))
        )


@dataclass(frozen=True, slots=True)
class _RunningContent:
    lines: tuple[DeploymentLine, ...]
    has_groups: bool
    message: str
    hint: str


class RunningCard:
    """Home: what of mine runs."""

    id, slot, order, lazy = "running-services", "home.main", 20, False

    def __init__(self, actions: EntityActions) -> None:
        self._actions = actions

    def applies(self, ctx: CardContext) -> bool:
        """Always: without a platform it explains itself."""
        return ctx.entity is None

    def render(self, ctx: CardContext) -> Rendered | None:
        """Deployments of the caller and their groups."""
        info = self._actions.gateway.info()
        owners = tuple(sorted(ctx.principal.owner_refs))
        lines: tuple[DeploymentLine, ...] = ()
        message, hint = ("", "") if info.connected else (info.message, info.hint)
        if info.connected and owners:
            try:
                found = self._actions.gateway.list_deployments(DeploymentQuery(owners=owners, limit=10), ctx.principal)
                lines = tuple(deployment_line(view) for view in found.items)
            except FlagstoneError as error:
                message, hint = error.message, error.hint or ""
        return Rendered("self_service/card_running.html", _values(_RunningContent(lines, bool(owners), message, hint)))


class RecentRunsCard:
    """Home: what I started lately."""

    id, slot, order, lazy = "recent-runs", "home.side", 30, False

    def __init__(self, runs: RunReader) -> None:
        self._runs = runs

    def applies(self, ctx: CardContext) -> bool:
        """When there is a platform."""
        return ctx.entity is None and self._runs.platform().connected

    def render(self, ctx: CardContext) -> Rendered | None:
        """The caller's newest runs, else everybody's."""
        mine = self._runs.list(ctx.principal, mine=True, limit=6).items
        found = mine or self._runs.list(ctx.principal, limit=6).items
        title = "My recent runs" if mine else "Recent runs"
        href = "/runs?mine=1" if mine else "/runs"
        content = _RunsContent(run_lines(found), None, title, href, "Nothing has run yet.")
        return Rendered("self_service/card_runs.html", _values(content))
