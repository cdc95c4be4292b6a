"""Who changed something, in words: the history keeps ids, which outlive names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SECONDS = 60.0
_MAX_KEPT = 2_000


def _unknown(_account: str) -> str | None:
    return None


class Actors:
    """Names of principals. ``account`` gives the name of an account by its id, or None."""

    def __init__(self, account: Callable[[str], str | None] = _unknown) -> None:
        self._account = account
        self._known: dict[str, tuple[float, str]] = {}
        self._guard = threading.Lock()

    def name(self, actor: str) -> str:
        """The name of somebody who acted, for people. Names are remembered for a minute."""
        kind, _, rest = actor.partition(":")
        if kind == "system":
            return "the catalog" if rest == "catalog" else f"the server ({rest})"
        if kind == "run":
            return "a run"
        if kind != "user":
            return actor
        moment = time.monotonic()
        with self._guard:
            known = self._known.get(actor)
        if known is not None and known[0] > moment:
            return known[1]
        name = self._account(rest) or actor
        with self._guard:
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            self._known[actor] = (moment + _SECONDS, name)
        return name
