"""Drivers for this machine alone: folders, SQLite files and generated values."""

from __future__ import annotations

import secrets
import sqlite3
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from flagstone.builtin.local_resources.folders import OwnFolder
from flagstone.kernel.errors import Unavailable
from flagstone.sdk import (
    DriverContext,
    ResourceDefinition,
    ResourcePlan,
    ResourceRequest,
    ResourceStatus,
)

_ALPHABET = string.ascii_letters + string.digits
_FILE = "data.db"


class FolderConfig(BaseModel):
    """Where folders lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = ""
    """Absolute path; empty: below Flagstone's data folder."""

    @field_validator("folder")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not Path(value).is_absolute():
            raise ValueError("must be an absolute path")
        return value


class NoConfig(BaseModel):
    """Nothing to say."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _FolderDriver:
    config_model = FolderConfig

    def __init__(self) -> None:
        self._root = Path()

    def open(self, ctx: DriverContext) -> None:
        """Remember where its folders lie."""
        self._root = ctx.state_dir

    def remove(self, request: ResourceRequest, *, delete_data: bool) -> list[str]:
        """Delete the folder, or move it aside."""
        folder = self._folder(request)
        return [folder.delete() if delete_data else folder.keep()]

    def _folder(self, request: ResourceRequest) -> OwnFolder:
        root = Path(request.config.folder) if request.config.folder else self._root
        return OwnFolder(root, request.uid, request.generation)


class VolumeDriver(_FolderDriver):
    """A folder."""

    name = "local-volume"
    types = ("volume",)
    definitions = (ResourceDefinition("local-volume", "volume", "local-volume"),)

    def plan(self, request: ResourceRequest) -> ResourcePlan:
        """Where it would lie."""
        return ResourcePlan({"Folder": str(self._folder(request).path)})

    def provision(self, request: ResourceRequest) -> Mapping[str, Any]:
        """Make the folder."""
        folder = self._folder(request)
        if folder.make():
            request.log(f"Made the folder {folder.path}.")
        return {"source": str(folder.path)}

    def status(self, request: ResourceRequest) -> ResourceStatus:
        """Whether the folder is there."""
        path = self._folder(request).path
        return ResourceStatus("ready") if path.is_dir() else ResourceStatus("missing", f"There is no folder {path}.")


class SqliteDriver(_FolderDriver):
    """A database in a file, in a folder of its own: SQLite writes other files beside it."""

    name = "sqlite"
    types = ("sqlite",)
    definitions = (ResourceDefinition("local-sqlite", "sqlite", "sqlite"),)

    def plan(self, request: ResourceRequest) -> ResourcePlan:
        """Where it would lie."""
        return ResourcePlan({"File": str(self._file(request))})

    def provision(self, request: ResourceRequest) -> Mapping[str, Any]:
        """Make the file; one that is there is only looked at."""
        file = self._file(request)
        if self._folder(request).make():
            request.log(f"Made the folder {file.parent}.")
        try:
            connection = sqlite3.connect(file, timeout=10)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise Unavailable("local_resources.sqlite", f"The database {file} cannot be opened: {error}.") from error
        return {"path": str(file), "url": f"sqlite:///{file}"}

    def status(self, request: ResourceRequest) -> ResourceStatus:
        """Whether the file is there."""
        file = self._file(request)
        return ResourceStatus("ready") if file.is_file() else ResourceStatus("missing", f"There is no file {file}.")

    def _file(self, request: ResourceRequest) -> Path:
        return self._folder(request).path / _FILE


class RandomDriver:
    """A value that is made once and then kept by the vault."""

    name = "random"
    types = ("secret",)
    config_model = NoConfig
    definitions = (ResourceDefinition("random", "secret", "random"),)

    def open(self, ctx: DriverContext) -> None:
        """Nothing to open."""

    def plan(self, request: ResourceRequest) -> ResourcePlan:
        """How long it would be."""
        return ResourcePlan({"Length": f"{_length(request)} letters and digits"})

    def provision(self, request: ResourceRequest) -> Mapping[str, Any]:
        """The value that is known, or a new one."""
        known = str(request.known.get("value", ""))
        if len(known) == _length(request):
            return {"value": known}
        value = request.hide("".join(secrets.choice(_ALPHABET) for _ in range(_length(request))))
        request.log("Generated a value.")
        return {"value": value}

    def remove(self, request: ResourceRequest, *, delete_data: bool) -> list[str]:
        """There is nothing but the value, which the platform forgets."""
        return ["The value is forgotten."]

    def status(self, request: ResourceRequest) -> ResourceStatus:
        """Whether the value is known."""
        if request.known.get("value"):
            return ResourceStatus("ready")
        return ResourceStatus("missing", "The vault has no such value.")


def _length(request: ResourceRequest) -> int:
    return int(request.params.get("length", 32))
