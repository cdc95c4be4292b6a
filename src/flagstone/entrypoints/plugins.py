"""Commands that plugins add."""

from __future__ import annotations

import typer

from flagstone.sdk import PROJECT, hooks
from flagstone.toolkit.plugins import PluginHost


def register(app: typer.Typer) -> None:
    """Let every installed plugin add its commands; a broken one is left out with a line in the log."""
    host = PluginHost(PROJECT, hooks)
    host.discover()
    host.call("flagstone_register_commands", app=app)
