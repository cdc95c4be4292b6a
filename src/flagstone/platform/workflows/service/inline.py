"""The files of a template that is not registered yet: they come with the request for a preview, and go with it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.files import Root

_MAX_BYTES = 10_000_000
_MAX_FILES = 5_000


def unpacked(files: Mapping[str, str], scratch: Path) -> Path | None:
    """The folder with these files; None when there are none.

    Raises Invalid for what is no base64, too much (10 MB, 5,000 files) or a path that leads outside.
    """
    if not files:
        return None
    if len(files) > _MAX_FILES or sum(map(len, files.values())) > _MAX_BYTES * 4 / 3:
        raise Invalid(
            "workflows.files_too_large",
            f"{len(files):,} files came with the request.",
            hint=f"At most {_MAX_FILES:,} files and {_MAX_BYTES:,} bytes are taken for a preview.",
        )
    folder = scratch / "inline"
    folder.mkdir(parents=True, exist_ok=True)
    root = Root(folder)
    for path, text in files.items():
        try:
            root.write(path, base64.b64decode(text, validate=True))
        except binascii.Error:
            raise Invalid(
                "workflows.bad_file", f"The content of {path!r:.200} is no base64.", hint="Encode it as base64."
            ) from None
    return folder
