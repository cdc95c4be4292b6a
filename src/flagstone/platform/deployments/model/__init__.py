"""What deployments are made of: releases, deployments, Score workloads. Pure values and rules, no I/O."""

from flagstone.platform.deployments.model.records import (
    Deployment,
    Desired,
    HistoryEntry,
    Operation,
    Outcome,
    Release,
    deployment_id,
)

__all__ = ["Deployment", "Desired", "HistoryEntry", "Operation", "Outcome", "Release", "deployment_id"]
