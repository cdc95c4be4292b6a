"""Tables and queries of releases, deployments and their history."""

from flagstone.platform.deployments.store.deployments import DeploymentStore
from flagstone.platform.deployments.store.history import HistoryStore
from flagstone.platform.deployments.store.releases import ReleaseStore
from flagstone.platform.deployments.store.tables import metadata

__all__ = ["DeploymentStore", "HistoryStore", "ReleaseStore", "metadata"]
