"""What may be read from outside: shared by everything that reads files or URLs which people name."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from flagstone.toolkit.settings.loader import SettingsModel


class HostCredential(SettingsModel):
    """How to be known to one host that is read from. The secret itself lies in the vault."""

    host: str
    """``host``, or ``host:port`` where the addresses name a port."""
    secret: str
    """Name of the secret in the vault: a token or password, or the private key for ssh."""
    username: str = "x-access-token"
    """User name that goes with it (https of git servers)."""
    scheme: str = "Bearer"
    """How addresses of single files send it: ``Bearer``, ``token``, or ``Basic`` with the user name."""
    known_hosts: str = ""
    """For ssh: the host's lines of a known_hosts file. No other host key is accepted."""


class SourcesSettings(SettingsModel):
    """Section ``[sources]``: the allow-list for reading. Empty means: nothing but the built-in git hosting."""

    allowed_folders: tuple[str, ...] = ()
    """Folders below which ``file`` locations, templates and skeletons may be read."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts (``host`` or ``host:port``) that may be fetched from. Loopback and private addresses only when named
    here.
    """

    credentials: tuple[HostCredential, ...] = ()
    """Secrets for private hosts, each ``[[sources.credentials]]``."""

    extra_folders: tuple[str, ...] = ()
    """More folders, from the command line (`flagstone up --location PATH`)."""
    extra_hosts: tuple[str, ...] = ()
    """More hosts, from the command line (`flagstone up --allow-host HOST`)."""

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders that may be read from."""
        return tuple(dict.fromkeys((*self.allowed_folders, *self.extra_folders)))

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts that may be fetched from."""
        return tuple(dict.fromkeys((*self.allowed_hosts, *self.extra_hosts)))

    @field_validator("allowed_folders", "allowed_hosts", "extra_folders", "extra_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("allowed_folders", "extra_folders")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Path(folder).expanduser().resolve()) for folder in value)
