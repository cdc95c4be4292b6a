"""Remembered servers and their tokens, in one file that only its owner can read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from flagstone.kernel.errors import Invalid

DEFAULT_URL = "http://127.0.0.1:7070"


@dataclass
class Profile:
    """Which server the commands speak to, and with which token."""

    file: Path
    current: str
    tokens: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> Profile:
        """Read ``credentials.json`` of a folder; a missing file is an empty profile."""
        file = folder / "credentials.json"
        try:
            body = json.loads(file.read_text(encoding="utf-8"))
            return cls(file, str(body["current"]), {str(url): str(token) for url, token in body["tokens"].items()})
        except FileNotFoundError:
            return cls(file, DEFAULT_URL, {})
        except (ValueError, KeyError, AttributeError, OSError) as error:
            raise Invalid(
                "cli.broken_profile",
                f"{file} cannot be read: {error}.",
                hint="Delete it and run `flagstone login` again.",
            ) from error

    def save(self) -> None:
        """Write it, readable by its owner only."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self.file.with_suffix(".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"current": self.current, "tokens": self.tokens}, stream, indent=1)
        beside.replace(self.file)
