"""Section ``[runs]``: how much runs at once, for how long, and what is kept afterwards."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class RunsSettings(SettingsModel):
    """Section ``[runs]``."""

    concurrency: int = Field(8, ge=1, le=256)
    """Runs that one process executes at the same time; the others wait in the queue."""
    executor_id: str = Field("main", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """Name of this process towards the engine: the same over restarts, and never shared by two processes."""
    serves: bool = True
    """Whether this process serves, too, and does what only such a process can; not so for `flagstone worker`."""
    step_timeout_seconds: float = Field(900, gt=0)
    """Longest time one attempt of a step may take."""
    step_attempts: int = Field(5, ge=1, le=100)
    """Attempts of a step whose failure may pass by itself, such as a server that is busy. Being told to come back
    later, as by a rate limit, does not count."""
    retry_budget_seconds: float = Field(86_400, ge=0)
    """Longest time from the first attempt of a step to its last, whatever the reason of its failures."""
    retry_in_place_seconds: float = Field(5, ge=0)
    """A longer pause between two attempts is a wait: the run gives its place to others until then."""
    retry_base_seconds: float = Field(1, ge=0)
    """First pause between two attempts; it doubles each time, with a random part, up to `retry_cap_seconds`."""
    retry_cap_seconds: float = Field(300, gt=0)
    """Longest pause between two attempts, unless the target asks for a longer one."""
    cancel_grace_seconds: float = Field(30, ge=0)
    """How long a step may go on after it was asked to stop; what it does later is not taken."""
    stop_grace_seconds: float = Field(10, ge=0)
    """How long a stopping server waits for steps to finish; the others go on at the next start."""
    lease_seconds: float = Field(30, ge=1)
    """A worker that was not heard of for so long is given up, and others go on with its runs."""
    worker_deaths: int = Field(3, ge=1)
    """How often the server may die in the same step before the step is given up."""
    max_turns: int = Field(500, ge=1)
    """Most turns of one step with `each`."""
    log_lines_per_step: int = Field(50_000, ge=100)
    """Log lines kept of one step; of a longer log the beginning and the end stay."""
    log_bytes_per_step: int = Field(10_000_000, ge=10_000)
    """Size in bytes of the log kept of one step."""
    log_bytes_per_run: int = Field(100_000_000, ge=10_000)
    """Size in bytes of the log kept of one run: all steps, attempts, restarts and retries together."""
    keep_logs_days: float = Field(0, ge=0)
    """Days for which the log of an ended run is kept; 0 keeps it for good. State changes and results always stay."""
    keep_workspaces: float = Field(24, ge=0)
    """Hours for which the working folder of an ended run is kept, so that it can be retried."""
    workspace_bytes: int = Field(2_000_000_000, ge=1_000)
    """Most bytes that the files in the working folder of one run may have together."""
    max_request_bytes: int = Field(2_000_000, ge=1_000)
    """Largest workflow and inputs together, in bytes."""
    reconcile_seconds: float = Field(5, gt=0)
    """How often queued runs that nobody started are looked for; a new run does not wait for it."""
    crash_at: str = ""
    """A test aid: the process kills itself at this point, `name` or `name:n` for the n-th time. Leave it empty."""
