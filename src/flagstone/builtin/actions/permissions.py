"""What the actions of this plugin ask for beside the permission to start runs."""

from __future__ import annotations

from flagstone.sdk import Permission

REGISTER = "actions.catalog.register"
UNREGISTER = "actions.catalog.unregister"
REQUEST = "actions.http.request"
COMMAND = "actions.command.run"

PERMISSIONS = (
    Permission(REGISTER, "Have runs ask the catalog to read a location.", "developer"),
    Permission(UNREGISTER, "Have runs ask the catalog to forget a location.", "maintainer", owner=True),
    Permission(REQUEST, "Have runs send requests to the hosts that the settings allow.", "developer"),
    Permission(COMMAND, "Have runs execute the programs that the settings allow.", "maintainer"),
)
