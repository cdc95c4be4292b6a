"""Deployments: releases of workloads in environments; bringing them up, back, down and away.

Vocabulary: a *workload* is a Score document; a *release* is an immutable version of it: one commit of one repository;
a *deployment* is one workload in one environment; a *rollout* brings a release up and changes over to it, or leaves
what ran before; a *turn* is the right to change a deployment, which one rollout has at a time.

Where environments are and which runtime serves them belongs to ``environments``; how processes are run belongs to the
runtime's plugin; who provides needed resources belongs to ``resources``.
"""

from flagstone.platform.deployments.model import Deployment, HistoryEntry, Release, deployment_id
from flagstone.platform.deployments.permissions import PERMISSIONS
from flagstone.platform.deployments.ports import SourceCommit, SourceFiles
from flagstone.platform.deployments.service import DeploymentPlanner, DeploymentRuns, DeploymentService, Execution
from flagstone.platform.deployments.settings import DeploymentsSettings
from flagstone.platform.deployments.store import DeploymentStore, HistoryStore, ReleaseStore

__all__ = [
    "PERMISSIONS",
    "Deployment",
    "DeploymentPlanner",
    "DeploymentRuns",
    "DeploymentService",
    "DeploymentStore",
    "DeploymentsSettings",
    "Execution",
    "HistoryEntry",
    "HistoryStore",
    "Release",
    "ReleaseStore",
    "SourceCommit",
    "SourceFiles",
    "deployment_id",
]
