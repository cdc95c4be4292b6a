"""The actions of this slice: publishing, proposing, upgrading and deleting repositories of the built-in git hosting."""

from flagstone.platform.repositories.actions.publishing import DeleteRepository, PublishGit
from flagstone.platform.repositories.actions.pull_request import PublishPullRequest
from flagstone.platform.repositories.actions.upgrade import UpgradeRepository

__all__ = ["DeleteRepository", "PublishGit", "PublishPullRequest", "UpgradeRepository"]
