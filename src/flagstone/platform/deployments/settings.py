"""Section ``deployments`` of the settings."""

from __future__ import annotations

from pydantic import Field, field_validator

from flagstone.toolkit.settings import SettingsModel


class DeploymentsSettings(SettingsModel):
    """How workloads are brought up and reached."""

    host: str = "127.0.0.1"
    """Address on which workloads may listen and be reached."""
    public_host: str = ""
    """Host name in the URLs shown to people; empty: the same as ``host``."""
    port_range: tuple[int, int] = (7100, 7299)
    """First and last port for workloads' own URLs."""
    health_timeout: float = Field(60.0, gt=0, le=3600)
    """Seconds that a new release has to become healthy before it is given up."""
    lock_wait: float = Field(60.0, ge=0, le=3600)
    """Seconds that a second rollout of the same deployment waits for the first one before it gives up."""
    keep_releases: int = Field(10, ge=2, le=1000)
    """Releases of a workload whose files are kept for a rollback; the files of older ones are read from git again."""
    parallel_restores: int = Field(4, ge=1, le=64)
    """Workloads that are brought back at the same time when the server starts."""

    @field_validator("port_range")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        first, last = value
        if not 1 <= first <= last <= 65535:
            raise ValueError("must be two ports from 1 to 65535, the lower one first")
        return value
