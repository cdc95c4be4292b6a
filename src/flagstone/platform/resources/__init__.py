"""Resources: what software needs beside itself, who provides it where, and what there is of it.

Vocabulary: a *resource type* is what may be asked for; a *definition* says who provides a type where; a *driver* is the
code that makes it; a *resource* is one such thing, with a state of its own. What a resource gives are its *outputs*;
secret ones lie in the vault and nowhere else. A resource keeps the definition that it was made with.

How a thing is made belongs to the driver's plugin; what runs and uses it belongs to ``deployments``.
"""

from flagstone.platform.resources.model import Resource, Wanted, resource_uid
from flagstone.platform.resources.permissions import PERMISSIONS
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.service import (
    Execution,
    Found,
    Need,
    ResourceProvider,
    ResourceRuns,
    ResourceService,
)
from flagstone.platform.resources.settings import DefinitionEntry, ResourcesSettings
from flagstone.platform.resources.store import ResourceStore

__all__ = [
    "PERMISSIONS",
    "DefinitionEntry",
    "Execution",
    "Found",
    "Need",
    "Resource",
    "ResourceProvider",
    "ResourceRegistry",
    "ResourceRuns",
    "ResourceService",
    "ResourceStore",
    "ResourcesSettings",
    "Wanted",
    "resource_uid",
]
