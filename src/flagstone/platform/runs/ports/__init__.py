"""What runs need from outside: an engine that survives crashes, and the files of hosted repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flagstone.contracts.repositories import RepositoryView
from flagstone.kernel.actor import Principal


class Job(Protocol):
    """What the engine executes; given to it once, before it is launched."""

    def begin(self, execution: str) -> list[str]:
        """Take the run of an execution; returns the ids of its steps in order, none when there is nothing to do.

        Called at the start and again after each recovery.
        """

    def step(self, execution: str, step_id: str) -> None:
        """Do a step. Called again after a crash in it, never after it has returned."""

    def finish(self, execution: str) -> None:
        """All steps are over."""


class Engine(Protocol):
    """Durable execution: what was started goes on after the process was killed. Thread-safe."""

    def launch(self, job: Job) -> None:
        """Connect, create what is missing and go on with what was interrupted. Slow: call it in a thread."""

    def ready(self) -> str | None:
        """None when it executes, else what it waits for, in words."""

    def start(self, execution: str) -> None:
        """Put an execution into the queue. Starting one that exists already does nothing. Raises Unavailable."""

    def alive(self, execution: str) -> bool:
        """Whether the engine will go on with this execution by itself."""

    def cancel(self, execution: str) -> None:
        """Forget an execution that waits in the queue. One that runs is stopped by its run's state."""

    def recover(self, executor_id: str) -> None:
        """Take over what a dead executor left."""

    def close(self, grace: float) -> None:
        """Stop taking work, wait up to ``grace`` seconds; what is not finished goes on at the next launch."""


class HostedFiles(Protocol):
    """Reads of the built-in git hosting. Whoever hosts repositories provides itself as this."""

    def get(self, name: str, actor: Principal) -> RepositoryView:
        """One repository with the commit of its default branch. Raises NotFound, Denied."""

    def materialise(self, name: str, commit: str, folder: Path) -> int:
        """Write the files of a commit into a folder that is not there yet; returns how many. Raises NotFound."""
