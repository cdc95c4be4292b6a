"""Child processes: short ones that are waited for (:func:`run`) and long-lived ones (:class:`LocalProcessHost`).

Argument vectors only, never a shell; every child has its own session, folder, environment and limits, and is ended as a
group. What the programs mean (git, workloads) does not belong here.
"""

from flagstone.toolkit.process.host import LocalProcess, LocalProcessHost
from flagstone.toolkit.process.limits import Limits, LimitsLike
from flagstone.toolkit.process.run import BASE_PATH, Completed, find_program, run

__all__ = ["BASE_PATH", "Completed", "Limits", "LimitsLike", "LocalProcess", "LocalProcessHost", "find_program", "run"]
