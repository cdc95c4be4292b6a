"""The files that actions see: a folder of ours below which everything happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flagstone.kernel.errors import Denied, NotFound
from flagstone.sdk import FileStat
from flagstone.toolkit.files import Entry, Root, split_path


class RootFiles:
    """``flagstone.sdk.Files`` over a :class:`Root`, or over one of its folders (``prefix``); read-only when asked."""

    def __init__(self, root: Root, prefix: str = "", *, read_only: bool = False) -> None:
        self._root = root
        self._prefix = "/".join(split_path(prefix))
        self._read_only = read_only

    def read_bytes(self, path: str) -> bytes:
        """See the protocol."""
        return self._root.read_bytes(self._at(path))

    def read_text(self, path: str) -> str:
        """See the protocol."""
        return self._root.read_text(self._at(path))

    def write(self, path: str, data: bytes | str, *, executable: bool = False) -> None:
        """See the protocol."""
        self._root.write(self._to_change(path), data, executable=executable)

    def exists(self, path: str) -> bool:
        """See the protocol."""
        return self._root.exists(self._at(path))

    def stat(self, path: str) -> FileStat:
        """See the protocol."""
        return self._stat(self._root.stat(self._at(path)))

    def walk(self, path: str = "") -> Iterator[FileStat]:
        """See the protocol. Links are left out: nothing can be read through them."""
        for entry in self._root.walk(self._at(path)):
            if entry.kind in ("file", "directory"):
                yield self._stat(entry)

    def glob(self, pattern: str) -> list[FileStat]:
        """See the protocol."""
        prefix = f"{self._prefix}/" if self._prefix else ""
        return [self._stat(entry) for entry in self._root.glob(prefix + pattern.removeprefix("./"))]

    def mkdir(self, path: str) -> None:
        """See the protocol."""
        self._root.mkdir(self._to_change(path))

    def delete(self, path: str) -> None:
        """See the protocol."""
        self._root.delete(self._to_change(path), recursive=True, missing_ok=True)

    def rename(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """See the protocol."""
        self._root.rename(self._to_change(source), self._to_change(target), overwrite=overwrite)

    def folder(self, path: str = "") -> tuple[str, str]:
        """The absolute path of the root, and the checked path below it; for programs that work in it."""
        found = self._at(path)
        if self._root.stat(found).kind != "directory":
            raise NotFound("runs.no_folder", f"{path} is not a folder.", hint="Name a folder of the workspace.")
        return self._root.path, found

    def tree(self) -> FolderTree:
        """The same for the renderer of skeletons, links included, so that it can refuse them."""
        return FolderTree(self._root, self._prefix)

    def _at(self, path: str) -> str:
        below = "/".join(split_path(path))
        return f"{self._prefix}/{below}".strip("/")

    def _to_change(self, path: str) -> str:
        if self._read_only:
            raise Denied(
                "runs.read_only",
                f"{path!r} cannot be changed: these files are only for reading.",
                hint="Write into the workspace of the run.",
            )
        return self._at(path)

    def _stat(self, entry: Entry) -> FileStat:
        path = entry.path.removeprefix(self._prefix).lstrip("/") if self._prefix else entry.path
        return FileStat(path, entry.kind == "directory", entry.size, entry.executable)


class FolderTree:
    """A folder below a root, as ``toolkit.templating`` wants it."""

    def __init__(self, root: Root, prefix: str) -> None:
        self._root = root
        self._prefix = prefix

    def walk(self) -> Iterable[Entry]:
        """Everything below, with paths relative to the folder."""
        start = len(self._prefix) + 1 if self._prefix else 0
        if self._root.stat(self._prefix).kind != "directory":
            raise NotFound(
                "runs.no_folder", f"{self._prefix} is not a folder.", hint="Name the folder of the skeleton."
            )
        for entry in self._root.walk(self._prefix):
            yield Entry(entry.path[start:], entry.kind, entry.size, entry.executable, entry.modified)

    def read_bytes(self, path: str) -> bytes:
        """The contents of a file."""
        return self._root.read_bytes(f"{self._prefix}/{path}".lstrip("/"))
