"""Built-in git hosting: bare repositories in the data folder, served over smart HTTP.

Vocabulary: a *repository* is named ``project/name``; its *head* is the commit of its default branch; it is *owned* by
an entity ref; a *change request* asks to take a branch over into another one. Knows nothing of the catalog: what is in
a repository is read by whoever asks.
"""

from flagstone.platform.repositories.model import Repository, RepoUrl, parse_repo_url
from flagstone.platform.repositories.permissions import PERMISSIONS
from flagstone.platform.repositories.service import ChangeService, RepositoryService
from flagstone.platform.repositories.settings import RepositoriesSettings

__all__ = [
    "PERMISSIONS",
    "ChangeService",
    "RepoUrl",
    "RepositoriesSettings",
    "Repository",
    "RepositoryService",
    "parse_repo_url",
]
