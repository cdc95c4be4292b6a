"""The resource types that this package brings. Outputs are those that Score files in the wild expect."""

from __future__ import annotations

from typing import Any

from flagstone.sdk import ResourceType


def _object(properties: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(properties)} if required else found


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


VOLUME = ResourceType(
    "volume",
    "Volume",
    "A folder that outlives the releases of a workload.",
    params_schema=_object({}),
    outputs_schema=_object({"source": _text("Path of the folder.")}, required=True),
    stateful=True,
)
SQLITE = ResourceType(
    "sqlite",
    "SQLite database",
    "A database in a file on the machine that runs Flagstone, for a workload of one instance.",
    params_schema=_object({}),
    outputs_schema=_object(
        {"path": _text("Path of the file."), "url": _text("The same as a URL, sqlite:///…")}, required=True
    ),
    stateful=True,
)
POSTGRES = ResourceType(
    "postgres",
    "PostgreSQL database",
    "A database of its own with a role of its own on a PostgreSQL server.",
    params_schema=_object(
        {
            "connections": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 20,
                "title": "Connections",
                "description": "How many connections it may have at once.",
            }
        }
    ),
    outputs_schema=_object(
        {
            "host": _text("Host name of the server."),
            "port": {"type": "integer", "description": "Port of the server."},
            "name": _text("Name of the database."),
            "database": _text("The same."),
            "username": _text("Role that owns the database."),
            "password": _text("Its password."),
        },
        required=True,
    ),
    secret_outputs=("password",),
    stateful=True,
)
SECRET = ResourceType(
    "secret",
    "Generated secret",
    "A random value that nobody sees but the workload, such as a key for cookies.",
    params_schema=_object(
        {
            "length": {
                "type": "integer",
                "minimum": 8,
                "maximum": 256,
                "default": 32,
                "title": "Length",
                "description": "Characters of the value. Another length makes another value.",
            }
        }
    ),
    outputs_schema=_object({"value": _text("The value: letters and digits.")}, required=True),
    secret_outputs=("value",),
)
TYPES = (VOLUME, SQLITE, POSTGRES, SECRET)
