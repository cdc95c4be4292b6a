"""Use cases of deployments. :class:`DeploymentService` is the way in; the other modules are its parts."""

from flagstone.platform.deployments.service.assembly import Collaborators, Parts, assemble
from flagstone.platform.deployments.service.deployments import DeploymentService
from flagstone.platform.deployments.service.planning import DeploymentPlanner
from flagstone.platform.deployments.service.preparation import Preview
from flagstone.platform.deployments.service.requests import DeploymentRuns
from flagstone.platform.deployments.service.supervisor import Supervisor
from flagstone.platform.deployments.service.turns import Execution

__all__ = [
    "Collaborators",
    "DeploymentPlanner",
    "DeploymentRuns",
    "DeploymentService",
    "Execution",
    "Parts",
    "Preview",
    "Supervisor",
    "assemble",
]
