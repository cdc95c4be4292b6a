"""Use cases of the built-in git hosting: repositories, and what is told of pushes to them."""

from flagstone.platform.repositories.service.pushes import Pushes
from flagstone.platform.repositories.service.repositories import RepositoryService

__all__ = ["Pushes", "RepositoryService"]
