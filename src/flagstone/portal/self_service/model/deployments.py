"""A deployment in words."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.contracts.deployments import DeploymentView

_DOTS = {
    "deploying": "progress",
    "starting": "progress",
    "removing": "progress",
    "healthy": "healthy",
    "scheduled": "healthy",
    "degraded": "degraded",
    "crashed": "down",
    "failed": "down",
    "stopped": "unknown",
    "unknown": "unknown",
}
_BUSY = ("deploying", "starting", "removing")


@dataclass(frozen=True, slots=True)
class DeploymentLine:
    """One workload in one environment, and which buttons fit it."""

    view: DeploymentView
    dot: str
    word: str
    version: str
    commit: str
    busy: bool
    can_stop: bool
    can_start: bool

    @property
    def log_href(self) -> str:
        """Its live log."""
        return f"/deployments/{self.view.id}/log"

    @property
    def troubled(self) -> bool:
        """Whether its last lines tell more than its state."""
        return self.dot == "down" or (self.dot == "degraded" and bool(self.view.last_log))


def deployment_line(view: DeploymentView) -> DeploymentLine:
    """Put a deployment into words."""
    release = view.release
    return DeploymentLine(
        view=view,
        dot=_DOTS.get(view.state, "unknown"),
        word=view.state.capitalize(),
        version=release.version if release else "",
        commit=release.commit[:8] if release else "",
        busy=view.state in _BUSY,
        can_stop=view.desired == "running" and view.state != "removing",
        can_start=view.desired == "stopped",
    )
