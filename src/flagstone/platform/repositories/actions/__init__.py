"""The actions of this slice: ``publish:git``, ``publish:git:pull-request`` and ``flagstone:repository:delete``."""

from flagstone.platform.repositories.actions.publishing import DeleteRepository, PublishGit
from flagstone.platform.repositories.actions.pull_request import PublishPullRequest

__all__ = ["DeleteRepository", "PublishGit", "PublishPullRequest"]
