"""A real browser against a real server."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from tests.browser.find_chromium import find
from tests.e2e.conftest import EXAMPLE, wait_for_acme

from flagstone.testing.server import ServerProcess

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
SCREENSHOTS = Path("test-results/screenshots")


@pytest.fixture(scope="module")
def browser():
    """Chromium. Without one the test fails: make test says beforehand where to get it."""
    path = find()
    if path is None:
        pytest.skip("NO CHROMIUM on this machine: the browser tests are not run")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """A server with the example organisation."""
    server = ServerProcess(tmp_path_factory.mktemp("acme"), command=EXAMPLE).start()
    wait_for_acme(server)
    yield server
    server.stop()


def sign_in_link(server):
    """The one-time link that the server printed at its first start."""
    text = server.log.read_text()
    found = re.search(r"https?://\S+/login/link/\S+", text)
    assert found, text
    return found.group(0)


class Visitor:
    """A browser context that fails the test when the browser complained about anything."""

    def __init__(self, browser, server, *, size=(1440, 900), theme="light", state=None):
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            reduced_motion="reduce",
            base_url=server.url,
            storage_state=state,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints = []
        self.page.on(
            "console", lambda item: self.complaints.append(item.text) if item.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "data:", "blob:"))
                else self.complaints.append(f"external request: {request.url}")
            ),
        )

    def shot(self, name):
        """Keep a picture for people to look at, when the environment asks for it (FLAGSTONE_SCREENSHOTS=1)."""
        if not os.environ.get("FLAGSTONE_SCREENSHOTS"):
            return
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def close(self):
        """End; complains about complaints."""
        self.context.close()
        assert self.complaints == []
