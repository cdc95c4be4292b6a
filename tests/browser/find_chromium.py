"""Finds a Chromium for the browser tests, or gets one: the system's, Debian's package (as root), Playwright's download.

Prints what it did. Without any browser the suite still runs, and says loudly which tests it could not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """Path of a browser, or None."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    for cache in (Path.home() / ".cache/ms-playwright", Path.home() / "Library/Caches/ms-playwright"):
        for pattern in (
            "chromium-*/chrome-linux*/chrome",
            "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
        ):
            for found_path in sorted(cache.glob(pattern), reverse=True):
                return str(found_path)
    return None


def get() -> str | None:
    """Install one, if this machine lets us."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]):
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL, timeout=600)
        if find():
            return find()
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, timeout=600)
    return find()


if __name__ == "__main__":
    browser = find() or get()
    if browser:
        print(f"Browser tests use {browser}")
    else:
        line = "!" * 78
        print(f"{line}\nNO CHROMIUM: none is installed and none could be got. The browser tests are NOT RUN.")
        print(f"Install one (Debian: apt-get install chromium) and run again.\n{line}")
