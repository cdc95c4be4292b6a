"""What every wire type shares."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

JSON = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""


class Wire(BaseModel):
    """A frozen value that travels between the rooms. Unknown members are ignored, so that a newer peer may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")
