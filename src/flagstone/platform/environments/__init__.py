"""Environments: where workloads live, in what order they are promoted, and which runtime executes them there.

Vocabulary: an *environment type* is a class of rules with a place in the order of promotion; an *environment* is
one place of that type; a *runtime* is what executes workloads; :class:`RuntimeRegistry` knows runtimes by name.

What runs in an environment belongs to ``deployments``; how a runtime works belongs to the plugin that brings it.
"""

from flagstone.platform.environments.model import Environment, EnvironmentType
from flagstone.platform.environments.permissions import PERMISSIONS
from flagstone.platform.environments.ports import RuntimeRegistry
from flagstone.platform.environments.service import EnvironmentService
from flagstone.platform.environments.settings import EnvironmentEntry, EnvironmentsSettings, EnvironmentTypeEntry
from flagstone.platform.environments.store import EnvironmentStore

__all__ = [
    "PERMISSIONS",
    "Environment",
    "EnvironmentEntry",
    "EnvironmentService",
    "EnvironmentStore",
    "EnvironmentType",
    "EnvironmentTypeEntry",
    "EnvironmentsSettings",
    "RuntimeRegistry",
]
