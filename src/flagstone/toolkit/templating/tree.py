"""Rendering of a whole skeleton, with the meaning of Backstage's ``fetch:template``.

It reads a tree and yields files; writing them, and keeping those that exist already, is the caller's part.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from flagstone.kernel.errors import Invalid, Problem
from flagstone.toolkit.files import GlobSet
from flagstone.toolkit.templating.limits import FILE_LIMITS, Limits
from flagstone.toolkit.templating.render import NO_EXTENSIONS, Extensions, render_file, render_path
from flagstone.toolkit.templating.values import JSON

_SNIFFED = 8_000


class TreeEntry(Protocol):
    """One thing in a tree; ``path`` is relative, with ``/``."""

    @property
    def path(self) -> str: ...

    @property
    def kind(self) -> Literal["file", "directory", "link", "other"]: ...

    @property
    def executable(self) -> bool: ...


class FileTree(Protocol):
    """Where a skeleton comes from: a folder (``toolkit.files.Root``), an archive, memory."""

    def walk(self) -> Iterable[TreeEntry]:
        """Everything in the tree, folders before what they hold."""
        ...

    def read_bytes(self, path: str) -> bytes:
        """The contents of a file."""
        ...


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How a skeleton is rendered.

    ``copy_without_templating``: globs; the contents are copied as they are, the paths are still rendered.
    ``template_file_extension``: only files that end so have their contents rendered, and lose the extension.
    ``cookiecutter``: ``{{ cookiecutter.x }}`` instead of ``${{ values.x }}``. Sizes in bytes.
    """

    copy_without_templating: tuple[str, ...] = ()
    template_file_extension: str | None = None
    cookiecutter: bool = False
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    max_files: int = 20_000
    max_file_size: int = 10_000_000
    max_total_size: int = 200_000_000
    total_cpu_seconds: float = 60


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file to write, or a folder to make when ``content`` is None."""

    path: str
    content: bytes | None
    executable: bool
    source: str
    rendered: bool


def render_tree(
    source: FileTree,
    values: Mapping[str, JSON],
    options: TreeOptions = TreeOptions(),
    *,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = FILE_LIMITS,
) -> Iterator[RenderedFile]:
    """Render a skeleton, file by file.

    Raises Invalid: ``templating.options`` for options that exclude each other, ``templating.link`` for a symbolic link
    or device in the skeleton, ``templating.collision`` when two files get the same path, ``templating.limit``, and
    what :func:`render_file` and :func:`render_path` raise.
    """
    if options.template_file_extension and (options.copy_without_templating or options.cookiecutter):
        raise Invalid(
            "templating.options",
            "templateFileExtension can not be used together with copyWithoutTemplating or cookiecutterCompat.",
            hint="Use one of them.",
        )
    yield from _TreeRenderer(source, values, options, extensions, limits).run()


class _TreeRenderer:
    def __init__(
        self,
        source: FileTree,
        values: Mapping[str, JSON],
        options: TreeOptions,
        extensions: Extensions,
        limits: Limits,
    ) -> None:
        self._source = source
        self._context = {"cookiecutter" if options.cookiecutter else "values": values}
        self._options = options
        self._extensions = extensions
        self._limits = replace(
            limits,
            max_source=min(limits.max_source, options.max_file_size),
            max_output=min(limits.max_output, options.max_file_size),
        )
        self._raw = GlobSet(options.copy_without_templating)
        self._made: dict[str, str] = {}
        self._files = 0
        self._size = 0
        self._cpu_seconds = 0.0

    def run(self) -> Iterator[RenderedFile]:
        for entry in self._source.walk():
            self._files += 1
            if self._files > self._options.max_files:
                raise _limit(f"The skeleton has more than {self._options.max_files} files.", "max_files")
            if entry.kind not in ("file", "directory"):
                raise Invalid(
                    "templating.link",
                    f"The skeleton holds {entry.path!r}, which is a link or a special file.",
                    hint="Put a copy of the file in its place.",
                    problems=[Problem("links are not copied", file=entry.path)],
                )
            made = self._directory(entry) if entry.kind == "directory" else self._file(entry)
            if made is not None:
                yield made

    def _path(self, source: str) -> str | None:
        return render_path(source, self._context, cookiecutter=self._options.cookiecutter, extensions=self._extensions)

    def _directory(self, entry: TreeEntry) -> RenderedFile | None:
        path = self._path(entry.path)
        return None if path is None else RenderedFile(path, None, False, entry.path, False)

    def _file(self, entry: TreeEntry) -> RenderedFile | None:
        extension = self._options.template_file_extension
        as_template = not self._raw.matches(entry.path)
        name = entry.path
        if extension:
            as_template = name.endswith(extension) and not name.endswith("/" + extension)
            name = name.removesuffix(extension) if as_template else name
        path = self._path(name)
        if path is None:
            return None
        if path in self._made:
            raise Invalid(
                "templating.collision",
                f"{self._made[path]!r} and {entry.path!r} in the skeleton both become {path!r}.",
                hint="Rename one of them, or make one of the names empty with {% if %}.",
            )
        self._made[path] = entry.path
        content = self._source.read_bytes(entry.path)
        text = _as_text(content) if as_template else None
        if text is not None:
            content = self._render(text, entry.path)
        self._size += len(content)
        if self._size > self._options.max_total_size:
            raise _limit(f"The files are larger than {self._options.max_total_size} bytes together.", "max_total_size")
        return RenderedFile(path, content, entry.executable, entry.path, text is not None)

    def _render(self, text: str, name: str) -> bytes:
        options = self._options
        started = time.thread_time()
        rendered = render_file(
            text,
            self._context,
            name=name,
            trim_blocks=options.trim_blocks,
            lstrip_blocks=options.lstrip_blocks,
            cookiecutter=options.cookiecutter,
            extensions=self._extensions,
            limits=self._limits,
        )
        self._cpu_seconds += time.thread_time() - started
        if self._cpu_seconds > options.total_cpu_seconds:
            raise _limit(f"The skeleton took more than {options.total_cpu_seconds:g} seconds.", "total_cpu_seconds")
        return rendered.encode()


def _limit(message: str, limit: str) -> Invalid:
    return Invalid("templating.limit", f"{message} (limit: {limit})", hint="Make the skeleton smaller.")


def _as_text(content: bytes) -> str | None:
    """The text of a file, None for a binary one."""
    if b"\0" in content[:_SNIFFED]:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
