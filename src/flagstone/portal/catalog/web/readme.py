"""READMEs as part of a page: headings one level down, links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from markupsafe import Markup

from flagstone.portal.catalog.model import Entity
from flagstone.portal.catalog.model.formats import is_safe_link
from flagstone.portal.catalog.service.records import Beside
from flagstone.toolkit.web.markdown import Heading, read_markdown

_HEADING = re.compile(r"(</?h)([1-5])(?=[ >])")


def readme_html(readme: Beside, entity: Entity) -> tuple[Markup, Sequence[Heading]]:
    """Safe HTML and the headings. The page has an ``h1`` of its own, so theirs begin with ``h2``."""
    document = read_markdown(readme.text, base_url="", link_rewriter=_links(entity.source.view_url))
    html = _HEADING.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", document.html)
    return Markup(html), [replace(heading, level=heading.level + 1) for heading in document.headings]  # noqa: S704


def _links(view_url: str | None) -> Callable[[str], str | None]:
    """Where relative links lead: beside the file that people can look at, else nowhere."""
    base = view_url.rpartition("/")[0] + "/" if view_url and is_safe_link(view_url) else None
    return lambda target: base + target.lstrip("/") if base else None
