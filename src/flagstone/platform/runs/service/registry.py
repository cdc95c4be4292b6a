"""All kinds of step there are."""

from __future__ import annotations

import difflib
import logging

from flagstone.contracts.actions import ActionSpec
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.sdk import Action

log = logging.getLogger("flagstone.runs")


class ActionRegistry:
    """Filled once at start by the plugins, then frozen."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._specs: dict[str, ActionSpec] = {}
        self._frozen = False

    def add(self, action: Action, plugin: str) -> None:
        """Make an action known.

        Raises Conflict when another plugin brought one with this id, or when the registry is frozen. An action that
        cannot even describe itself is left out and logged: a plugin must not keep the server from starting.
        """
        if self._frozen:
            raise Conflict("runs.registry_frozen", f"The action {action.id} of {plugin} comes too late.")
        try:
            spec = action.spec(plugin)
        except Exception:
            log.exception("the action %r of the plugin %s cannot be described and is left out", action, plugin)
            return
        known = self._specs.get(spec.id)
        if known is not None:
            raise Conflict(
                "runs.action_twice",
                f"The plugins {known.source} and {plugin} both bring an action {spec.id!r}.",
                hint="Remove one of the plugins, or rename its action.",
            )
        self._actions[spec.id] = action
        self._specs[spec.id] = spec

    def freeze(self) -> None:
        """From now on nothing is added."""
        self._frozen = True

    def get(self, action_id: str) -> Action:
        """An action. Raises NotFound with the nearest name."""
        try:
            return self._actions[action_id]
        except KeyError:
            raise NotFound(
                "runs.unknown_action",
                f"There is no action {action_id!r}.",
                hint=self.suggest(action_id) or "GET /api/v1/actions lists all actions.",
            ) from None

    def find(self, action_id: str) -> Action | None:
        """An action, or None."""
        return self._actions.get(action_id)

    def suggest(self, action_id: str) -> str:
        """A sentence with the nearest name; empty when nothing is near."""
        near = difflib.get_close_matches(action_id, self._actions, n=1, cutoff=0.6)
        return f"Did you mean {near[0]}?" if near else ""

    def specs(self) -> list[ActionSpec]:
        """All actions by id."""
        return [self._specs[key] for key in sorted(self._specs)]

    def spec(self, action_id: str) -> ActionSpec:
        """What one action says of itself. Raises NotFound."""
        self.get(action_id)
        return self._specs[action_id]
