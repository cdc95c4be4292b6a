"""The environment git runs in: no configuration of the machine or of a person, no prompts, no hooks, no helpers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flagstone.toolkit.process.run import BASE_PATH

_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "false",
    "core.quotePath": "false",
    "core.fsync": "loose-object,reference",
    "credential.helper": "",
    "diff.external": "",
    "fastimport.unpackLimit": "0",
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "http.receivepack": "true",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.ext.allow": "never",
    "receive.advertisePushOptions": "false",
    "receive.autogc": "false",
    "receive.denyCurrentBranch": "ignore",
    "receive.fsckObjects": "true",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.fsck.badTimezone": "ignore",
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "safe.directory": "*",
    "submodule.recurse": "false",
    "transfer.hideRefs": "refs/flagstone",
    "uploadpack.allowFilter": "true",
}
"""Given on the environment, where no file of a repository can take it back."""


class GitEnvironment:
    """Variables for every git process. ``home`` is a private folder that stays empty."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._base = {
            "PATH": BASE_PATH,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "SSH_ASKPASS": "false",
            "GIT_ALLOW_PROTOCOL": "https:ssh",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PAGER": "cat",
        }

    def variables(self, repository: Path, *, config: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment for one repository; ``config`` adds or replaces settings."""
        settings = {**_CONFIG, **(config or {})}
        found = {**self._base, "GIT_DIR": str(repository), "GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            found[f"GIT_CONFIG_KEY_{number}"] = key
            found[f"GIT_CONFIG_VALUE_{number}"] = value
        return found
