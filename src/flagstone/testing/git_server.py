"""A git server on loopback with one repository that needs a password, for tests of what reads other servers."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import uvicorn

from flagstone.kernel.errors import NotFound, Unauthenticated
from flagstone.toolkit.git import Author, GitEnvironment, GitHttp, GitRepository

AUTHOR = Author("Ada", "ada@acme.example")


class GitServer:
    """``acme/shop`` at :attr:`url`. With ``password`` set, only Basic authentication with it is let in."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        environment = GitEnvironment(folder / "home")
        self.repository = GitRepository(folder / "acme" / "shop.git", environment)
        self.repository.init_bare("main")
        self.password = password
        self.requests = 0
        self.files: dict[str, bytes] = {}
        self._app = GitHttp(environment, self._authorize, lambda *_: None)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(self._app, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([self._listener])))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}/acme/shop.git"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def commit(self, files: Mapping[str, bytes | None], *, branch: str = "main") -> str:
        """Write (or, with None, remove) files and let a branch stand at the new commit."""
        for path, content in files.items():
            if content is None:
                self.files.pop(path)
            else:
                self.files[path] = content
        parent = self.repository.head(branch)
        tree = {path: (content, False) for path, content in self.files.items()}
        parents = (parent,) if parent else ()
        return self.repository.commit_tree(
            tree, message="Change", author=AUTHOR, branch=branch, date=datetime.now(UTC), parents=parents
        )

    def _authorize(self, scope: Any, name: str, _service: str) -> GitRepository:
        self.requests += 1
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        wanted = base64.b64encode(f"x-access-token:{self.password}".encode()).decode()
        if self.password and given != f"Basic {wanted}":
            raise Unauthenticated("test.password", "Git needs a password.", hint="Give it.")
        if name != "acme/shop":
            raise NotFound("test.none", f"There is no repository {name}.")
        return self.repository
