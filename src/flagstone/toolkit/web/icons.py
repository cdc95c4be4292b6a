"""Icons: the drawn markup of a name, and which icon stands for which kind or type of entity.

The drawings come from the asset build (``frontend/icons.json`` lists the names); a name that was not built shows a box.
"""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape

from flagstone.toolkit.web.assets import default_manifest

FALLBACK = "box"

_BY_TYPE = {
    "service": "server",
    "website": "panels-top-left",
    "library": "library",
    "job": "timer",
    "cli": "terminal",
    "database": "database",
    "postgres": "database",
    "cache": "zap",
    "bucket": "archive",
    "s3-bucket": "archive",
    "queue": "workflow",
    "topic": "workflow",
    "openapi": "braces",
    "asyncapi": "workflow",
    "graphql": "waypoints",
    "grpc": "network",
}
_BY_KIND = {
    "component": "box",
    "api": "braces",
    "resource": "database",
    "system": "layers",
    "domain": "boxes",
    "group": "users",
    "user": "user",
    "template": "rocket",
    "location": "map",
}


def icon_name(kind: str, type_: str | None = None) -> str:
    """The icon for an entity of this kind and ``spec.type``."""
    return _BY_TYPE.get((type_ or "").lower()) or _BY_KIND.get(kind.lower(), FALLBACK)


def icon_markup(name: str) -> str:
    """The inner SVG markup of an icon; a box for a name that is not in the build."""
    icons = default_manifest().icons
    return icons.get(name) or icons[FALLBACK]


@lru_cache(maxsize=1024)
def icon(name: str, size: int = 16, classes: str = "") -> Markup:
    """An inline SVG icon of ``size`` CSS pixels, hidden from assistive technology (give the control a label)."""
    return Markup(  # noqa: S704  the drawings are ours, what was given is escaped
        f'<svg class="p-icon {escape(classes)}" width="{escape(size)}" height="{escape(size)}" viewBox="0 0 24 24"'
        f' aria-hidden="true">{icon_markup(name)}</svg>'
    )
