"""Git through the git binary, hardened: bare repositories (:class:`GitRepository`), what lies between two
commits (:class:`GitChanges`) and smart HTTP (:class:`GitHttp`).

Who may do what with which repository does not belong here: callers decide.
"""

from flagstone.toolkit.git.changes import FileChange, GitChanges, Hunk, Line, MergeResult, merge_texts
from flagstone.toolkit.git.environment import GitEnvironment
from flagstone.toolkit.git.http import GitHttp, Service
from flagstone.toolkit.git.remote import GitCredential, RemoteRepositories
from flagstone.toolkit.git.repository import Author, Commit, Entry, File, GitRepository

__all__ = [
    "Author",
    "Commit",
    "Entry",
    "File",
    "FileChange",
    "GitChanges",
    "GitCredential",
    "GitEnvironment",
    "GitHttp",
    "GitRepository",
    "Hunk",
    "Line",
    "MergeResult",
    "RemoteRepositories",
    "Service",
    "merge_texts",
]
