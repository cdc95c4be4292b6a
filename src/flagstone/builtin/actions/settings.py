"""Section ``[actions]``: what the built-in actions may do beyond the workspace of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ActionsSettings(BaseModel):
    """Section ``[actions]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed_hosts: tuple[str, ...] = ()
    """Hosts (`host` or `host:port`) to which `http:request` and `http:backstage:request` may send. Empty: to none."""
    http_base_url: str = ""
    """Where the paths of `http:backstage:request` begin, for templates that ask the Backstage they came from."""
    http_proxies: dict[str, str] = Field(default_factory=dict)
    """What `http:backstage:request` finds below `/proxy`: a path such as `/snyk`, and the address it stands for."""
    commands: tuple[str, ...] = ()
    """Programs that `flagstone:command` may run, by name; `*` allows all. Empty: the action is off."""
    command_isolation: Literal["required", "best"] = "required"
    """`required`: where the system cannot shut programs in (namespaces of Linux), they do not run. `best`: they run
    with limits only, and could read what the server can read."""
    command_network: bool = False
    """Whether commands reach the network."""
    command_seconds: float = Field(900, gt=0)
    """Longest time a command may be given."""
    command_memory_bytes: int = Field(1 << 30, ge=1 << 20)
    """Most memory of a command with all its processes."""
    command_output_bytes: int = Field(10_000_000, ge=1_000)
    """Most that a command may write into the log."""
    command_processes: int = Field(64, ge=1)
    """Most processes that a command may have at once."""

    @field_validator("allowed_hosts", "commands", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
