"""Limits of a child process, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LimitsLike(Protocol):
    """Anything with these members, such as ``flagstone.sdk.ProcessLimits``. Memory and sizes in bytes, CPU in cores."""

    @property
    def memory(self) -> int | None:
        """Most address space of a process."""

    @property
    def cpu(self) -> float | None:
        """Share of the processor, in cores."""

    @property
    def open_files(self) -> int:
        """Most open files of a process."""

    @property
    def file_size(self) -> int | None:
        """Largest file it may write."""

    @property
    def processes(self) -> int | None:
        """Most processes it may have at once, itself included."""


@dataclass(frozen=True, slots=True)
class Limits:
    """See :class:`LimitsLike`; None leaves the host's own."""

    memory: int | None = None
    cpu: float | None = None
    open_files: int = 1024
    file_size: int | None = 1 << 30
    processes: int | None = None


def as_message(limits: LimitsLike) -> dict[str, int | float | None]:
    """The form in which limits travel to the process that applies them."""
    return {
        "memory": limits.memory,
        "cpu": limits.cpu,
        "open_files": limits.open_files,
        "file_size": limits.file_size,
        "processes": limits.processes,
    }
