"""A server in a process of its own that deploys once: ``python child.py FOLDER PORTS KEY``. To be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.platform.deployments.tests.world import World
from flagstone.toolkit.db import PlatformDatabase


def open_world(folder: Path, ports: tuple[int, int]) -> World:
    """The server over the data of a folder."""
    db = PlatformDatabase(f"sqlite:///{folder / 'platform.db'}")
    return World(db, folder, LocalProcessRuntime(), port_range=ports, health_timeout=20)


def main(folder: Path, first: str, key: str) -> None:
    world = open_world(folder, (int(first), int(first) + 7))
    world.parts.supervisor.start()
    world.deploy(execution=world.execution(key, progress=lambda text: print(text, flush=True)))
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
