"""The logical databases of a process, as types to ask for. No foreign key ever crosses from one to another."""

from __future__ import annotations

from flagstone.toolkit.db.database import Database


class PortalDatabase(Database):
    """What the portal knows."""


class PlatformDatabase(Database):
    """What the platform decides and does."""


class HomeDatabase(Database):
    """Where this process keeps people, tokens and secrets: the portal's database, or the platform's when it runs
    alone.
    """
