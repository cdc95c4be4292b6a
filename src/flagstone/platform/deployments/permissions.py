"""Permissions on deployments."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "deployments.deployment.read"
LOG = "deployments.log.read"
WRITE = "deployments.deployment.write"

PERMISSIONS = [
    Permission(READ, "See what runs where, its releases and its history.", "viewer"),
    Permission(LOG, "Read the logs of workloads.", "viewer"),
    Permission(WRITE, "Deploy, start, stop, roll back and remove workloads.", "maintainer", owner=True),
]
