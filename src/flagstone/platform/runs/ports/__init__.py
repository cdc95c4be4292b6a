"""What runs need from outside: an engine that survives crashes, and the files of hosted repositories."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Protocol

from flagstone.contracts.repositories import RepositoryView
from flagstone.kernel.actor import Principal


class Job(Protocol):
    """What the engine executes; given to it once, before it is launched."""

    def perform(self, execution: str) -> None:
        """Do what is left of an execution. Called again after a crash until it has returned once.

        What a step has done is kept by the job, in the transaction of its result, not by the engine.
        """


class Engine(Protocol):
    """Durable execution: what was started goes on after the process was killed. Thread-safe."""

    def launch(self, job: Job) -> None:
        """Connect, create what is missing and go on with what was interrupted. Slow: call it in a thread."""

    def ready(self) -> str | None:
        """None when it executes, else what it waits for, in words."""

    def start(self, execution: str, place: str = "") -> None:
        """Put an execution into the queue; with ``place`` "server" only a process that serves takes it.

        Starting one that exists already does nothing. Raises Unavailable.
        """

    def lost(self, executions: Sequence[str], living: Container[str]) -> list[str]:
        """Those that nobody will go on with by itself. ``living``: names of the executors that are at work."""

    def cancel(self, execution: str) -> None:
        """Forget an execution that waits in the queue. One that runs is stopped by its run's state."""

    def forget(self, executions: Sequence[str]) -> None:
        """Delete what it keeps of executions that are over for good."""

    def close(self, grace: float) -> None:
        """Stop taking work, wait up to ``grace`` seconds; what is not finished goes on at the next launch."""


class HostedFiles(Protocol):
    """Reads of the built-in git hosting. Whoever hosts repositories provides itself as this."""

    def get(self, name: str, actor: Principal) -> RepositoryView:
        """One repository with the commit of its default branch. Raises NotFound, Denied."""

    def materialise(self, name: str, commit: str, folder: Path) -> int:
        """Write the files of a commit into a folder that is not there yet; returns how many. Raises NotFound."""
