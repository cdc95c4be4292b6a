"""Use cases of resources."""

from flagstone.platform.resources.service.assembly import Collaborators, Parts, assemble
from flagstone.platform.resources.service.definitions import Definitions
from flagstone.platform.resources.service.providing import Found, Need, ResourceProvider
from flagstone.platform.resources.service.requests import ResourceRuns
from flagstone.platform.resources.service.resources import Preview, ResourceService
from flagstone.platform.resources.service.turns import Execution

__all__ = [
    "Collaborators",
    "Definitions",
    "Execution",
    "Found",
    "Need",
    "Parts",
    "Preview",
    "ResourceProvider",
    "ResourceRuns",
    "ResourceService",
    "assemble",
]
