"""Pushing to other git servers: the commit is made in a repository that nobody else sees, and taken there over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flagstone.kernel.errors import Temporary, Unavailable
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.sdk import HttpClient
from flagstone.sdk.remotes import FirstCommit, RepositoryFiles
from flagstone.toolkit.git import Author, GitRepository, merge_texts
from flagstone.toolkit.git.smart import push_new_branch

_TIMEOUT = 300.0
_MAX_ANSWER = 20_000_000


class RemoteGit:
    """See ``flagstone.sdk.remotes.GitRemotes``."""

    def __init__(self, folders: RepositoryFolders) -> None:
        self._folders = folders

    def commit_id(self, files: RepositoryFiles, commit: FirstCommit) -> str:
        """The id that a push of these files has."""
        with self._made(files, commit) as (_, made):
            return made

    def push(
        self, url: str, files: RepositoryFiles, commit: FirstCommit, *, authorization: str, http: HttpClient
    ) -> str:
        """Push a branch that is not there yet."""

        def send(method: str, address: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
            given = {**headers, "authorization": authorization}
            try:
                answer = http.send(method, address, headers=given, body=body, timeout=_TIMEOUT, max_bytes=_MAX_ANSWER)
            except Unavailable as error:
                raise Temporary("git.remote_failed", error.message, hint=error.hint) from error
            return answer.status, answer.body

        with self._made(files, commit) as (repository, made):
            push_new_branch(repository, url, commit.branch, made, send)
        return made

    def merge_file(self, before: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, bool]:
        """Three versions of a text as one, by ``git merge-file``."""
        with self._folders.draft() as draft:
            draft.init_bare()
            return merge_texts(draft, before, ours, theirs)

    @contextmanager
    def _made(self, files: RepositoryFiles, commit: FirstCommit) -> Iterator[tuple[GitRepository, str]]:
        with self._folders.draft() as draft:
            draft.init_bare(commit.branch)
            author = Author(commit.author_name, commit.author_email)
            yield (
                draft,
                draft.commit_tree(files, message=commit.message, author=author, branch=commit.branch, date=commit.at),
            )
