"""Pages of self service."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.self_service.service import EntityActions, RunReader
from flagstone.portal.self_service.web.actions import action_routes
from flagstone.portal.self_service.web.changes import change_routes
from flagstone.portal.self_service.web.deployments import deployment_routes
from flagstone.portal.self_service.web.repositories import repository_routes
from flagstone.portal.self_service.web.runs import run_routes
from flagstone.toolkit.web.pages import Pages


def router(runs: RunReader, actions: EntityActions, pages: Pages) -> APIRouter:
    """Runs, deployments, repositories and the actions of entities."""
    routes = APIRouter(include_in_schema=False)
    run_routes(routes, runs, pages)
    deployment_routes(routes, runs, actions, pages)
    change_routes(routes, actions, pages)
    repository_routes(routes, actions, pages)
    action_routes(routes, actions, pages)
    return routes
