"""``/repositories``: looking into the built-in git hosting."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.repositories import BranchView, CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.self_service.permissions import REPOSITORY_READ
from flagstone.portal.self_service.service import EntityActions
from flagstone.toolkit.web.markdown import render_markdown
from flagstone.toolkit.web.pages import Pages

_HEADING = re.compile(r"<(/?)h([1-5])(?=[ >])")
_READMES = ("readme.md", "readme.markdown", "readme.txt", "readme")


@dataclass(frozen=True, slots=True)
class RepositoriesPage:
    """All repositories."""

    repositories: tuple[RepositoryView, ...]
    platform: GatewayInfo
    more_href: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a folder."""

    name: str
    href: str
    folder: bool
    size: int | None


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """A folder of a repository: its entries, its README, and at the root the newest commits."""

    repository: RepositoryView
    folder: str
    trail: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    commits: tuple[CommitView, ...]
    readme_name: str
    readme: Markup | None
    readme_text: str
    branches: tuple[BranchView, ...]
    open_changes: int


@dataclass(frozen=True, slots=True)
class FilePage:
    """One file."""

    repository: RepositoryView
    file: FileContent
    trail: tuple[tuple[str, str], ...]
    name: str
    document: Markup | None


def base_of(name: str) -> str:
    """The page of a repository."""
    return f"/repositories/{quote(name)}"


def trail_of(name: str, path: str) -> tuple[tuple[str, str], ...]:
    """The folders on the way to a path, as (name, address)."""
    parts = [part for part in path.split("/") if part]
    return tuple(
        (part, f"{base_of(name)}/tree/{quote('/'.join(parts[: number + 1]))}") for number, part in enumerate(parts)
    )


def entries_of(name: str, tree: Sequence[TreeEntry], folder: str) -> tuple[Entry, ...]:
    """The lines of one folder, folders first."""
    prefix = f"{folder}/" if folder else ""
    files: dict[str, Entry] = {}
    folders: dict[str, Entry] = {}
    for item in tree:
        if not item.path.startswith(prefix) or item.path == folder:
            continue
        head, slash, _ = item.path[len(prefix) :].partition("/")
        if slash or item.type == "tree":
            folders[head] = Entry(head, f"{base_of(name)}/tree/{quote(prefix + head)}", True, None)
        else:
            files[head] = Entry(head, f"{base_of(name)}/blob/{quote(prefix + head)}", False, item.size)
    first = sorted(folders.values(), key=lambda item: item.name)
    return (*first, *sorted(files.values(), key=lambda item: item.name.lower()))


def document(name: str, path: str, text: str) -> Markup:
    """A Markdown file of a repository; relative links lead to its other files."""
    folder = posixpath.dirname(path)

    def link(target: str) -> str | None:
        parts = urlsplit(target)
        place = posixpath.normpath(posixpath.join(folder, unquote(parts.path).lstrip("/"))) if parts.path else path
        if place.startswith(".."):
            return None
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        return f"{base_of(name)}/blob/{quote(place)}{anchor}"

    html = render_markdown(text, base_url="", link_rewriter=link)
    # The page has an h1 of its own.
    return Markup(_HEADING.sub(lambda tag: f"<{tag[1]}h{int(tag[2]) + 1}", html))  # noqa: S704  cleaned by the renderer


class _Browser:
    """Reads repositories for the pages."""

    def __init__(self, actions: EntityActions) -> None:
        self._gateway = actions.gateway

    def folder(self, principal: Principal, name: str, folder: str) -> RepositoryPage:
        """A folder. Raises NotFound."""
        repository = self._gateway.get_repository(name, principal)
        tree = self._gateway.repository_tree(name, principal) if repository.head else []
        folder = folder.strip("/")
        entries = entries_of(name, tree, folder)
        if folder and not entries:
            raise NotFound("self_service.no_folder", f"There is no folder {folder} in {name}.")
        readme = next((e for wanted in _READMES for e in entries if e.name.lower() == wanted and not e.folder), None)
        text = ""
        if readme is not None:
            path = f"{folder}/{readme.name}" if folder else readme.name
            text = self._gateway.repository_file(name, path, principal).text or ""
        marked = readme is not None and readme.name.lower().endswith((".md", ".markdown"))
        return RepositoryPage(
            repository=repository,
            folder=folder,
            trail=trail_of(name, folder),
            entries=entries,
            commits=tuple(self._gateway.repository_commits(name, principal, limit=10))
            if repository.head and not folder
            else (),
            readme_name=readme.name if readme else "",
            readme=document(name, f"{folder}/README.md" if folder else "README.md", text) if marked and text else None,
            readme_text=text,
            branches=tuple(self._gateway.list_branches(name, principal)) if repository.head and not folder else (),
            open_changes=0 if folder else self._open_changes(name, principal),
        )

    def _open_changes(self, name: str, principal: Principal) -> int:
        found = self._gateway.list_changes(name, principal, state=("open",), limit=1)
        return len(found.items) if found.total is None else found.total

    def file(self, principal: Principal, name: str, path: str) -> FilePage:
        """A file. Raises NotFound."""
        repository = self._gateway.get_repository(name, principal)
        file = self._gateway.repository_file(name, path, principal)
        marked = path.lower().endswith((".md", ".markdown")) and file.text
        return FilePage(
            repository=repository,
            file=file,
            trail=trail_of(name, posixpath.dirname(path)),
            name=posixpath.basename(path),
            document=document(name, path, file.text or "") if marked else None,
        )


def repository_routes(routes: APIRouter, actions: EntityActions, pages: Pages) -> None:
    """Add the browser of repositories."""
    browser = _Browser(actions)

    @routes.get("/repositories", response_class=HTMLResponse)
    def list_repositories(
        request: Request, principal: Annotated[Principal, permit(REPOSITORY_READ)], cursor: str | None = None
    ) -> Response:
        """Repositories of the built-in hosting, by name."""
        found = actions.gateway.list_repositories(principal, cursor=cursor)
        more = f"/repositories?cursor={quote(found.next_cursor)}" if found.next_cursor else None
        page = RepositoriesPage(tuple(found.items), actions.gateway.info(), more)
        fragment = "self_service/_repository_rows.html" if cursor else None
        return pages.render(request, "self_service/repositories.html", page, fragment=fragment)

    @routes.get("/repositories/{project}/{name}", response_class=HTMLResponse)
    def show(
        request: Request, project: str, name: str, principal: Annotated[Principal, permit(REPOSITORY_READ)]
    ) -> Response:
        """The root of a repository."""
        return pages.render(request, "self_service/repository.html", browser.folder(principal, f"{project}/{name}", ""))

    @routes.get("/repositories/{project}/{name}/tree/{path:path}", response_class=HTMLResponse)
    def folder(
        request: Request, project: str, name: str, path: str, principal: Annotated[Principal, permit(REPOSITORY_READ)]
    ) -> Response:
        """A folder of a repository."""
        return pages.render(
            request, "self_service/repository.html", browser.folder(principal, f"{project}/{name}", path)
        )

    @routes.get("/repositories/{project}/{name}/blob/{path:path}", response_class=HTMLResponse)
    def blob(
        request: Request, project: str, name: str, path: str, principal: Annotated[Principal, permit(REPOSITORY_READ)]
    ) -> Response:
        """A file of a repository."""
        return pages.render(request, "self_service/file.html", browser.file(principal, f"{project}/{name}", path))
