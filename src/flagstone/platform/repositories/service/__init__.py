"""Use cases of the built-in git hosting: repositories, change requests, and what is told of pushes to them."""

from flagstone.platform.repositories.service.changes import ChangeService
from flagstone.platform.repositories.service.proposals import Proposals
from flagstone.platform.repositories.service.pushes import Pushes
from flagstone.platform.repositories.service.repositories import RepositoryService
from flagstone.platform.repositories.service.upgrading import Upgrades

__all__ = ["ChangeService", "Proposals", "Pushes", "RepositoryService", "Upgrades"]
