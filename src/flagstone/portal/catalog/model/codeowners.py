"""CODEOWNERS: whom a repository's file names for a path, and whether they are the owner that the catalog names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

FILES = ("/CODEOWNERS", "/.github/CODEOWNERS", "/.gitlab/CODEOWNERS", "/docs/CODEOWNERS")
"""Where it is looked for, in this order."""


def owners_of(text: str, path: str) -> tuple[str, ...]:
    """The owners of a path: those of the last pattern that matches it. Lines that are not understood are left out."""
    found: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith(("#", "[", "^[")):
            continue
        if _pattern(words[0]).fullmatch(path.strip("/")):
            found = tuple(word for word in words[1:] if "@" in word)
    return found


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """As .gitignore: a slash inside anchors it, a name alone matches at every depth, a folder all that is below it."""
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", body)
    words = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(words.get(part, re.escape(part)) for part in parts)
    # GitHub's one exception: `docs/*` owns the files of docs, not of the folders below it.
    below = "/.*" if pattern.endswith("/") else "" if body.endswith("/*") else "(?:/.*)?"
    return re.compile(("" if anchored else "(?:.*/)?") + text + below, re.DOTALL)


def agrees(codeowners: tuple[str, ...], owner_ref: str, annotations: Mapping[str, str], email: str | None) -> bool:
    """Whether one of the code owners is the catalog's owner: by team or login, by mail, or by name."""
    kind, _, rest = owner_ref.partition(":")
    name = rest.partition("/")[2]
    known = {name.lower()}
    slug = annotations.get("github.com/team-slug" if kind == "group" else "github.com/user-login", "")
    known |= {slug.lower(), slug.rpartition("/")[2].lower()} if slug else set()
    for item in codeowners:
        if item.startswith("@"):
            if item[1:].lower() in known or item.rpartition("/")[2].removeprefix("@").lower() in known:
                return True
        elif email and item.lower() == email.lower():
            return True
    return False
