"""What runs, deployments and hosted entities look like to people. Pure."""

from flagstone.portal.self_service.model.deployments import DeploymentLine, deployment_line
from flagstone.portal.self_service.model.frames import Frames, plain_text
from flagstone.portal.self_service.model.origins import Origin, origin_of
from flagstone.portal.self_service.model.runs import ACTIVE, RunFacts, StepFacts, read_run, run_dot, run_word

__all__ = [
    "ACTIVE",
    "DeploymentLine",
    "Frames",
    "Origin",
    "RunFacts",
    "StepFacts",
    "deployment_line",
    "origin_of",
    "plain_text",
    "read_run",
    "run_dot",
    "run_word",
]
