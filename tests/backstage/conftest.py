"""A server with the vectors' data, and Backstage's own client talking to it.

The judges can be tried on a real Backstage, to see that they judge rightly: start one whose only location is
``data/catalog.yaml`` and that may read ``127.0.0.1:7108``, then set ``JUDGED_URL`` (``http://…/api/catalog``),
``JUDGED_TOKEN`` and ``JUDGED_FILES_PORT=7108``. Tests marked in their text as better than Backstage fail there.
"""

from __future__ import annotations

import os

import pytest

from flagstone.testing.server import ServerProcess, wait_until
from tests.backstage.world import CATALOG, BackstageClient, Files, Judged, install_client


@pytest.fixture(scope="session")
def files():
    """Files over HTTP, for ``url`` locations."""
    world = Files(int(os.environ.get("JUDGED_FILES_PORT", "0")))
    yield world
    world.close()


@pytest.fixture(scope="session")
def judged(files, tmp_path_factory):
    """The server for tests that change nothing."""
    yield from _judged(files, tmp_path_factory)


@pytest.fixture(scope="module")
def changing(files, tmp_path_factory):
    """A server for one module's tests that change the catalog."""
    yield from _judged(files, tmp_path_factory)


@pytest.fixture(scope="session")
def node_modules():
    """The installed client."""
    return install_client()


@pytest.fixture(scope="module")
def client(node_modules, changing):
    """The real client, talking to the ``changing`` server."""
    found = BackstageClient(node_modules, changing.url, changing.token)
    yield found
    found.close()


def _judged(files, tmp_path_factory):
    if "JUDGED_URL" in os.environ:
        world = Judged(os.environ["JUDGED_URL"], os.environ["JUDGED_TOKEN"], files)
        yield world
        world.http.close()
        return
    folder = tmp_path_factory.mktemp("judged")
    catalog = folder / "catalog.yaml"
    catalog.write_text(CATALOG.read_text())
    arguments = ("--location", str(catalog), "--allow-host", files.host)
    with ServerProcess(folder, *arguments, command=("up", "--no-example")) as server:
        world = Judged(f"{server.url}/api/catalog", server.token, files)
        try:
            wait_until(lambda: _loaded(world), 30, "the catalog to be read")
            yield world
        finally:
            world.http.close()


def _loaded(world):
    filters = {"kind=component": 4, "relations.dependencyOf=component:default/f-three": 2, "relations.hasMember": 1}
    return all(len(world.get("/entities", {"filter": text}).json()) == count for text, count in filters.items())
