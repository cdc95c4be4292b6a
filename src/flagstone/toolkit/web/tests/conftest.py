"""Fixtures of the web toolkit's tests: a browser, and the gallery application served for real."""

from __future__ import annotations

import shutil

import pytest

from flagstone.toolkit.web.tests.gallery_app import GalleryApp, serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (  # noqa: SIM905  as they are typed
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --disable-quic"
).split()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: the system's, else the one that Playwright brought.

    Not for the whole session: while it is open no other test of this process could start an event loop.
    """
    from playwright.sync_api import Error, sync_playwright  # slow to import; only browser tests need it

    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            pytest.skip(f"NO CHROMIUM: this browser test was not run ({error.message.splitlines()[0]})")
        yield opened
        opened.close()


@pytest.fixture
def gallery(tmp_path):
    """The gallery application, not served."""
    return GalleryApp(tmp_path)


@pytest.fixture
def served(gallery):
    """(application, its address)"""
    with serving(gallery) as url:
        yield gallery, url
