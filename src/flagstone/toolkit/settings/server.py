"""Where the process listens, where it keeps its data, how it logs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from flagstone.toolkit.settings.loader import SettingsModel


class ServerSettings(SettingsModel):
    """Section ``[server]``."""

    host: str = "127.0.0.1"
    """Address to listen on. Put a reverse proxy with TLS in front before you listen on anything but loopback."""
    port: int = Field(7070, ge=0, le=65535)
    """Port to listen on; 0 picks a free one."""
    public_url: str = ""
    """The address people use, when it is not http://host:port (behind a proxy). Links, clone URLs and cookies follow
    it.
    """
    data_dir: str = "data"
    """Folder of databases, repositories, releases and logs."""
    log_format: Literal["text", "json"] = "text"
    """``json`` writes one JSON object per line to standard error."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""
    product: str = "Flagstone"
    """Name in the corner of every page."""
    organisation: str = ""
    """Name of the organisation, shown beside the product."""


class DatabaseSettings(SettingsModel):
    """Section ``[database]``: SQLite files in the data folder unless a URL is given."""

    url: SecretStr = SecretStr("")
    """``postgresql://user:password@host/name`` for all databases: schemas ``portal`` and ``platform``, and DBOS's
    own.
    """
    portal_url: SecretStr = SecretStr("")
    """URL of the portal's database alone."""
    platform_url: SecretStr = SecretStr("")
    """URL of the platform's database alone."""
    engine_url: SecretStr = SecretStr("")
    """URL of the durable execution engine's database alone."""
    pool_size: int = Field(16, ge=1, le=200)
    """Connections kept open per database and process; to SQLite six at most."""
    migrate: bool = True
    """Bring the schema up to date at start. Turn off where the process may not change it; then run `flagstone db
    migrate`.
    """
