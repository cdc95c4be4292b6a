"""JSON API of hosted repositories, and git itself at ``/git``.

Git clients send a token as the password of Basic authentication; a session cookie never authorises git.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Send

from flagstone.contracts.repositories import (
    BranchView,
    ChangeRequestDetail,
    ChangeRequestView,
    ChangeState,
    CommitView,
    FileContent,
    MergeChangeRequest,
    OpenChangeRequest,
    RepositoryView,
    TreeEntry,
)
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Unauthenticated
from flagstone.platform.repositories.permissions import PUSH, READ
from flagstone.platform.repositories.service import ChangeService, Pushes, RepositoryService
from flagstone.platform.repositories.settings import RepositoriesSettings
from flagstone.sdk.guards import permit
from flagstone.toolkit.git import GitEnvironment, GitHttp, GitRepository
from flagstone.toolkit.git.http import Scope, Service

_CLONE_ADDRESS = re.compile(r"/([\w.-]+/[\w.-]+?)(?:\.git)?/?", re.ASCII)

Reader = Annotated[Principal, permit(READ)]
Writer = Annotated[Principal, permit(PUSH)]
Commit = Annotated[str | None, Query(description="Commit id; default: head of the default branch.")]


class RepositoryList(BaseModel):
    """A page of repositories."""

    items: list[RepositoryView]
    next_cursor: str | None = None
    total: int | None = None


class Tree(BaseModel):
    """Everything at a commit."""

    items: list[TreeEntry]


class Commits(BaseModel):
    """The newest commits."""

    items: list[CommitView]


class BranchList(BaseModel):
    """Branches."""

    items: list[BranchView]


class ChangeList(BaseModel):
    """A page of change requests."""

    items: list[ChangeRequestView]
    next_cursor: str | None = None
    total: int | None = None


def router(service: RepositoryService, changes: ChangeService) -> APIRouter:
    """Routes under ``/api/v1/repositories``. Repositories are made and deleted by runs."""
    routes = APIRouter(prefix="/api/v1/repositories", tags=["repositories"])

    @routes.get("")
    def list_repositories(principal: Reader, cursor: str | None = None, limit: int | None = None) -> RepositoryList:
        """Hosted repositories, by name."""
        page = service.list_repositories(principal, cursor=cursor, limit=limit)
        return RepositoryList(items=list(page.items), next_cursor=page.next_cursor, total=page.total)

    @routes.get("/{project}/{name}")
    def get_repository(project: str, name: str, principal: Reader) -> RepositoryView:
        """One repository."""
        return service.get(f"{project}/{name}", principal)

    @routes.get("/{project}/{name}/tree")
    def get_tree(project: str, name: str, principal: Reader, commit: Commit = None) -> Tree:
        """All files and folders at a commit."""
        return Tree(items=service.tree(f"{project}/{name}", principal, commit=commit))

    @routes.get("/{project}/{name}/commits")
    def get_commits(project: str, name: str, principal: Reader, limit: int = 20) -> Commits:
        """The newest commits of the default branch."""
        return Commits(items=service.commits(f"{project}/{name}", principal, limit=limit))

    @routes.get("/{project}/{name}/files/{path:path}")
    def get_file(project: str, name: str, path: str, principal: Reader, commit: Commit = None) -> FileContent:
        """One file at a commit."""
        return service.file(f"{project}/{name}", path, principal, commit=commit)

    _change_routes(routes, changes)
    return routes


def _change_routes(routes: APIRouter, changes: ChangeService) -> None:
    """Branches and change requests."""

    @routes.get("/{project}/{name}/branches")
    def get_branches(project: str, name: str, principal: Reader) -> BranchList:
        """Branches with their newest commits, the default one first."""
        return BranchList(items=changes.branches(f"{project}/{name}", principal))

    @routes.get("/{project}/{name}/changes")
    def list_changes(
        project: str,
        name: str,
        principal: Reader,
        state: Annotated[list[ChangeState] | None, Query(description="Only those in one of these states.")] = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ChangeList:
        """Change requests, newest first."""
        page = changes.list(f"{project}/{name}", principal, state=tuple(state or ()), cursor=cursor, limit=limit)
        return ChangeList(items=list(page.items), next_cursor=page.next_cursor, total=page.total)

    @routes.post("/{project}/{name}/changes", status_code=201)
    def open_change(project: str, name: str, principal: Writer, wanted: OpenChangeRequest) -> ChangeRequestDetail:
        """Ask to take a branch over into another one."""
        return changes.open(f"{project}/{name}", wanted, principal)

    @routes.get("/{project}/{name}/changes/{number}")
    def get_change(project: str, name: str, number: int, principal: Reader) -> ChangeRequestDetail:
        """One change request with its commits and its difference."""
        return changes.get(f"{project}/{name}", number, principal)

    @routes.post("/{project}/{name}/changes/{number}/merge")
    def merge_change(
        project: str, name: str, number: int, principal: Writer, wanted: MergeChangeRequest | None = None
    ) -> ChangeRequestDetail:
        """Merge it: by a merge commit, or by moving the base branch on."""
        return changes.merge(f"{project}/{name}", number, wanted or MergeChangeRequest(), principal)

    @routes.post("/{project}/{name}/changes/{number}/close")
    def close_change(project: str, name: str, number: int, principal: Writer) -> ChangeRequestDetail:
        """Close it without merging."""
        return changes.close(f"{project}/{name}", number, principal)

    @routes.post("/{project}/{name}/changes/{number}/reopen")
    def reopen_change(project: str, name: str, number: int, principal: Writer) -> ChangeRequestDetail:
        """Open a closed one again."""
        return changes.reopen(f"{project}/{name}", number, principal)


def git_app(
    service: RepositoryService,
    pushes: Pushes,
    changes: ChangeService,
    environment: GitEnvironment,
    principal_for_token: Callable[[str], Principal],
    settings: RepositoriesSettings,
) -> ASGIApp:
    """The ASGI app to mount at ``/git``."""

    def authorize(scope: Scope, name: str, git_service: Service) -> GitRepository:
        principal = principal_for_token(_token(scope))
        scope.setdefault("state", {})["git_principal"] = principal
        return service.serve(name, principal, write=git_service == "git-receive-pack")

    def pushed(scope: Scope, name: str, _before: Mapping[str, str], _after: Mapping[str, str]) -> None:
        pushes.sync(name, scope["state"]["git_principal"])
        changes.settle(name, scope["state"]["git_principal"])

    git = GitHttp(
        environment,
        authorize,
        pushed,
        max_body=settings.max_push_mb * 1_000_000,
        concurrency=settings.concurrency,
        timeout=settings.timeout_seconds,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Who opens a clone address in a browser wants to see the repository.
        page = _page_of(scope)
        if page is not None:
            await RedirectResponse(page, 303)(scope, receive, send)
        else:
            await git(scope, receive, send)

    return app


def _page_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["query_string"]:
        return None
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    match = _CLONE_ADDRESS.fullmatch(path)
    return f"/repositories/{match.group(1)}" if match else None


def _token(scope: Scope) -> str:
    """The token in the Authorization header. Raises Unauthenticated when there is none."""
    header = next((value for key, value in scope["headers"] if key.lower() == b"authorization"), b"")
    kind, _, value = header.decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            password = ""
        if password:
            return password
    raise Unauthenticated(
        "repositories.sign_in_needed",
        "Git needs a personal API token.",
        hint="Give any user name and the token as the password; tokens are made at /me/tokens.",
    )
