"""Names of fields: the path of a value in the form, ``database/rows/0/name``, and ids made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ODD = re.compile(r"[^A-Za-z0-9-]")


def join(path: Iterable[str | int]) -> str:
    """One name out of keys and indexes; ``~`` and ``/`` in a key are written as in a JSON pointer."""
    return "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)


def split(name: str) -> list[str]:
    """The keys and indexes of a name."""
    return [part.replace("~1", "/").replace("~0", "~") for part in name.split("/")]


def element_id(name: str) -> str:
    """The id of the element: unlike names give unlike ids."""
    return "f-" + _ODD.sub(lambda found: f"_{ord(found[0]):x}_", name)
