"""Which rooms a process serves, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.settings import Settings

Rooms = Literal["both", "portal", "platform"]


def load_settings(
    file: Path | None, *, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from ``file``, or from ``flagstone.toml`` in the working folder when there is one.

    Raises Invalid when a named file is missing or anything in it is wrong.
    """
    if file is None:
        default = Path("flagstone.toml")
        file = default if default.is_file() else None
    elif not file.is_file():
        raise Invalid(
            "settings.no_file", f"There is no settings file {file}.", hint="Check --config or FLAGSTONE_CONFIG."
        )
    return Settings.load(file, environ, overrides)
