"""What the fake GitHub knows: repositories (bare, real), people, and what was asked of it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flagstone.toolkit.git import Author, Entry, GitEnvironment, GitRepository

BOB = Author("Bob", "bob@acme.example")


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
        if errors:
            self.body["errors"] = errors


FIRST = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When a repository begins: the same files make the same commit."""


@dataclass
class Fault:
    """An answer that goes wrong, after ``skip`` that do not. ``after``: it is done first, only its answer is lost."""

    kind: str
    match: str
    times: int = 1
    after: bool = False
    skip: int = 0


@dataclass
class Repo:
    """A repository: facts, and the bare repository behind them."""

    owner: str
    name: str
    git: GitRepository
    facts: dict[str, Any]
    number: int = 0
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Hooks, keys, autolinks: things with a number."""
    puts: dict[str, Any] = field(default_factory=dict)
    """The last body that was put at a path below the repository."""
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """By place and name, opened again with the private key."""
    runs: list[dict[str, Any]] = field(default_factory=list)

    def head(self, branch: str) -> str | None:
        """Commit of a branch."""
        return self.git.head(branch)

    def files(self, branch: str = "main") -> dict[str, str]:
        """Texts by path."""
        commit = self.git.head(branch)
        entries: list[Entry] = self.git.tree(commit) if commit else []
        found = {}
        for entry in entries:
            if entry.type == "blob" and commit:
                found[entry.path] = (self.git.file(commit, entry.path).data or b"").decode("utf-8", "replace")
        return found

    def commit(self, branch: str, files: Mapping[str, str], *, at: datetime | None = None) -> str:
        """What a push of somebody does."""
        parent = self.git.head(branch)
        return self.git.commit_tree(
            {path: (text.encode(), False) for path, text in files.items()},
            message="Change",
            author=BOB,
            branch=branch,
            date=at or datetime.now(UTC),
            parents=[parent] if parent else [],
            on_top=parent is not None,
        )

    def next_number(self) -> int:
        """Issues and pull requests share their numbers."""
        self.number += 1
        return self.number


class Plumbing:
    """Git objects as the API makes them one by one."""

    def __init__(self, folder: Path) -> None:
        self.environment = GitEnvironment(folder / ".home")

    def blob(self, repo: Repo, data: bytes) -> str:
        """Write a content."""
        return repo.git.command("hash-object", "-w", "--stdin", input=data).out.decode().strip()

    def read(self, repo: Repo, sha: str) -> bytes:
        """Read a content."""
        return repo.git.command("cat-file", "blob", sha).out

    def tree(self, repo: Repo, base: str | None, entries: list[dict[str, Any]]) -> str:
        """A tree on top of another one."""
        index = {"GIT_INDEX_FILE": str(repo.git.path / f"fake-index-{id(entries)}")}
        if base:
            repo.git.command("read-tree", base, more=index)
        lines = []
        for entry in entries:
            sha = entry.get("sha")
            if "content" in entry:
                sha = self.blob(repo, entry["content"].encode())
            mode = entry["mode"] if sha else "0"
            lines.append(f"{mode} {sha or '0' * 40}\t{entry['path']}")
        repo.git.command("update-index", "--index-info", input=("\n".join(lines) + "\n").encode(), more=index)
        return repo.git.command("write-tree", more=index).out.decode().strip()

    def commit(self, repo: Repo, body: Mapping[str, Any]) -> str:
        """A commit of a tree."""
        author = body.get("author") or {"name": "acme-bot", "email": "bot@acme.example"}
        who = {
            f"GIT_{role}_{part.upper()}": str(author[part])
            for role in ("AUTHOR", "COMMITTER")
            for part in ("name", "email")
        }
        parents = [word for parent in body["parents"] for word in ("-p", parent)]
        done = repo.git.command(
            "commit-tree", body["tree"], *parents, "-F", "-", input=body["message"].encode(), more=who
        )
        return done.out.decode().strip()


def http_backend(repo: Repo, environment: GitEnvironment, variables: Mapping[str, str], body: bytes) -> bytes:
    """One request to ``git http-backend``: the answer with its CGI head."""
    given = environment.variables(repo.git.path)
    del given["GIT_DIR"]
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        capture_output=True,
        env={**given, "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "token", **variables},
        check=True,
        timeout=60,
    )
    return done.stdout


def content_of(data: bytes) -> dict[str, Any]:
    """A content as the API tells it."""
    return {"content": base64.encodebytes(data).decode(), "encoding": "base64", "size": len(data)}


def stamp() -> str:
    """Now, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
