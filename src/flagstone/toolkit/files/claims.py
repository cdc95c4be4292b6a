"""Temporary folders that show whether the process that made them still lives.

A folder's claim is a lock of the kernel, which ends with its process however that ends. So whoever clears up needs no
clock and no list of processes, and can never take away what somebody is working in.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def claimed_folder(parent: Path, *, prefix: str = "") -> Iterator[Path]:
    """A new folder below ``parent``, gone afterwards with all it holds. Raises OSError when it cannot be made."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever clears up may have come between the making and the claim.
            if folder.exists():
                break
            os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_unclaimed(parent: Path, pattern: str) -> None:
    """Delete the folders below ``parent`` that fit the pattern and whose process is gone."""
    for folder in parent.glob(pattern):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
