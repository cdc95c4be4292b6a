"""Child processes: short ones that are waited for (:func:`run`), those of strangers (:func:`run_job`), and long-lived
ones (:class:`LocalProcessHost`).

Argument vectors only, never a shell; every child has its own session, folder, environment and limits, and is ended as a
group. What the programs mean (git, workloads) does not belong here.
"""

from flagstone.toolkit.process.host import LocalProcess, LocalProcessHost
from flagstone.toolkit.process.limits import Limits, LimitsLike
from flagstone.toolkit.process.run import BASE_PATH, PYTHON, Completed, find_program, run
from flagstone.toolkit.process.sandbox import Ended, Job, SandboxLimits, isolation, run_job

__all__ = [
    "BASE_PATH",
    "PYTHON",
    "Completed",
    "Ended",
    "Job",
    "Limits",
    "LimitsLike",
    "LocalProcess",
    "LocalProcessHost",
    "SandboxLimits",
    "find_program",
    "isolation",
    "run",
    "run_job",
]
