"""Single files of other servers, as far as the administrator allows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flagstone.kernel.errors import Denied
from flagstone.sdk import FileStat

Fetch = Callable[[str], bytes]
"""URL -> body. Raises Denied for a host that is not allowed, NotFound, Unavailable."""


class UrlFiles:
    """``flagstone.sdk.Files`` over the files directly below a URL: they can be read by name, and nothing else."""

    def __init__(self, base: str, fetch: Fetch) -> None:
        self._base = base.rstrip("/")
        self._fetch = fetch

    def read_bytes(self, path: str) -> bytes:
        """The body behind ``base/path``."""
        return self._fetch(f"{self._base}/{path}")

    def read_text(self, path: str) -> str:
        """The same as text."""
        return self.read_bytes(path).decode("utf-8", "replace")

    def exists(self, path: str) -> bool:
        """Only a fetch would tell: yes."""
        return True

    def stat(self, path: str) -> FileStat:
        """A file that is not executable; its size is not known before it is read."""
        if not path:
            raise self._refuse()
        return FileStat(path, is_dir=False, size=0, executable=False)

    def walk(self, _path: str = "") -> Iterator[FileStat]:
        """Refuses."""
        raise self._refuse()

    def glob(self, _pattern: str) -> list[FileStat]:
        """Refuses."""
        raise self._refuse()

    def write(self, _path: str, _data: bytes | str, *, executable: bool = False) -> None:
        """Refuses."""
        raise self._refuse()

    def mkdir(self, _path: str) -> None:
        """Refuses."""
        raise self._refuse()

    def delete(self, _path: str) -> None:
        """Refuses."""
        raise self._refuse()

    def rename(self, _source: str, _target: str, *, overwrite: bool = False) -> None:
        """Refuses."""
        raise self._refuse()

    def _refuse(self) -> Denied:
        return Denied(
            "runs.url_not_allowed",
            f"From {self._base} only single files can be read, not folders.",
            hint="Use fetch:plain:file, or put the files beside the template or into a hosted repository.",
        )
