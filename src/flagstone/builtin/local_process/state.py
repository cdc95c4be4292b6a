"""What is remembered of a deployment over restarts, and its folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flagstone.kernel.errors import Unavailable

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}")
_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class Remembered:
    """Written whole at each change."""

    id: str
    name: str = ""
    port: int | None = None
    release: str = ""
    release_id: str | None = None
    stopped: bool = False


class DeploymentFolder:
    """``state.json``, ``log``, ``home/``, ``tmp/`` and one folder for each release that still runs."""

    def __init__(self, root: Path, deployment_id: str) -> None:
        plain = _PLAIN.fullmatch(deployment_id) is not None
        name = deployment_id if plain else hashlib.sha256(deployment_id.encode()).hexdigest()[:32]
        self.path = root / name
        self.log = self.path / "log"
        self.home = self.path / "home"
        self.tmp = self.path / "tmp"
        self._releases = self.path / "releases"
        self.remembered = self._load(deployment_id)

    @staticmethod
    def all(root: Path) -> Iterator[DeploymentFolder]:
        """Every deployment that is remembered."""
        for file in sorted(root.glob(f"*/{_FILE}")):
            try:
                deployment_id = json.loads(file.read_text(encoding="utf-8"))["id"]
            except (OSError, ValueError, KeyError):
                continue
            yield DeploymentFolder(root, str(deployment_id))

    def remember(self, **changes: Any) -> None:
        """Change what is remembered; a reader sees the old or the new, never half."""
        changed = replace(self.remembered, **changes)
        if changed == self.remembered and (self.path / _FILE).exists():
            return
        self.remembered = changed
        self.path.mkdir(parents=True, exist_ok=True)
        fresh = self.path / f".{_FILE}.new"
        fresh.write_text(json.dumps(asdict(changed)), encoding="utf-8")
        fresh.replace(self.path / _FILE)

    def prepare(
        self,
        release_id: str,
        source: Path,
        files: tuple[tuple[str, Mapping[str, Any]], ...],
        volumes: tuple[tuple[str, str], ...] = (),
    ) -> Path:
        """A private, writable copy of a release's files, links left out, with what the workload adds: files, which are
        written anew since they may hold what has changed meanwhile, and links to its volumes.

        Raises Unavailable when they cannot be written, or a volume is not there.
        """
        target = self.release(release_id)
        fresh = target.with_name(f".{target.name}.new")
        try:
            for folder in (self.home, self.tmp):
                folder.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.rmtree(fresh, ignore_errors=True)
                shutil.copytree(source, fresh, ignore=_links)
                fresh.rename(target)
            for path, content in files:
                _write_file(target, path, content)
            for path, volume in volumes:
                _link(target / path, Path(volume))
        except (OSError, shutil.Error) as error:
            raise Unavailable(
                "local.no_space",
                f"The files of the release cannot be copied to {target}: {error}.",
                hint="Check that the disk has room and that the folder may be written.",
            ) from error
        return target

    def release(self, release_id: str) -> Path:
        """The working folder of a release."""
        return self._releases / hashlib.sha256(release_id.encode()).hexdigest()[:16]

    def forget_releases(self, keep: str | None) -> None:
        """Delete the working folders of all releases but one."""
        kept = self.release(keep) if keep else None
        for folder in self._releases.glob("*"):
            if folder != kept:
                shutil.rmtree(folder, ignore_errors=True)

    def measure(self) -> tuple[int, int]:
        """(files, bytes) in the folder."""
        sizes = [path.lstat().st_size for path in self.path.rglob("*") if not path.is_dir()]
        return len(sizes), sum(sizes)

    def delete(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _load(self, deployment_id: str) -> Remembered:
        try:
            found = json.loads((self.path / _FILE).read_text(encoding="utf-8"))
            known = {key: value for key, value in found.items() if key in Remembered.__slots__}
            return Remembered(**{**known, "id": deployment_id})
        except (OSError, ValueError, AttributeError, TypeError):
            return Remembered(deployment_id)


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_symlink()]


def _link(place: Path, folder: Path) -> None:
    """Have a folder appear at a place."""
    if not folder.is_absolute() or not folder.is_dir():
        raise Unavailable(
            "local.no_volume",
            f"The volume {place.name} is not there: {folder} is no folder of this machine.",
            hint="Ask for its resource again: it is made anew when it is gone.",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()
    elif place.is_dir() and not any(place.iterdir()):
        place.rmdir()  # git keeps an empty folder by a file; one made by a program is in nobody's way
    place.symlink_to(folder, target_is_directory=True)


def _write_file(root: Path, path: str, content: Mapping[str, Any]) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if "source" not in content:
        # It may hold secrets: nobody else on the machine may look into it, not even before its mode is set.
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
    if "binaryContent" in content:
        target.write_bytes(b64decode(content["binaryContent"]))
    elif "source" in content:
        source = (root / str(content["source"])).resolve()
        if source.is_relative_to(root.resolve()) and source != target.resolve():
            shutil.copyfile(source, target)
    else:
        target.write_text(str(content.get("content") or ""), encoding="utf-8")
    if content.get("mode"):
        target.chmod(int(str(content["mode"]), 8) | 0o400)
