"""A small pool of processes for work that needs the processor: started when it is needed, ended when it is idle.

What is handed over must be picklable: a function of a module, plain data. Does not belong here: what the work is.
"""

from __future__ import annotations

from flagstone.toolkit.workers.pool import WorkerPool

__all__ = ["WorkerPool"]
