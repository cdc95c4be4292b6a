"""What self service lets people do. The platform decides again, by its own permissions."""

from __future__ import annotations

from flagstone.sdk import Permission

RUN_READ = "self_service.run.read"
RUN_CHANGE = "self_service.run.change"
RUN_ANSWER = "self_service.run.answer"
DEPLOYMENT_READ = "self_service.deployment.read"
DEPLOYMENT_CHANGE = "self_service.deployment.change"
REPOSITORY_READ = "self_service.repository.read"
REPOSITORY_CHANGE = "self_service.repository.change"

PERMISSIONS = [
    Permission(RUN_READ, "See runs, their steps and their logs.", "viewer"),
    Permission(RUN_CHANGE, "Cancel and retry runs.", "developer"),
    Permission(RUN_ANSWER, "Answer steps that ask for input; only those who are asked can.", "viewer"),
    Permission(DEPLOYMENT_READ, "See what runs where, and its logs.", "viewer"),
    Permission(DEPLOYMENT_CHANGE, "Deploy, stop, start and delete what an entity describes.", "maintainer", owner=True),
    Permission(REPOSITORY_READ, "Look into repositories of the built-in hosting.", "viewer"),
    Permission(REPOSITORY_CHANGE, "Open, merge and close change requests.", "developer"),
]
