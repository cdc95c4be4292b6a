"""Markdown to safe HTML: Python-Markdown with a fixed list of extensions, cleaned by an allow-list.

Where a document comes from and where its links lead is the caller's matter (``base_url``, ``link_rewriter``).
A document can never bring script, style, frames or our own class names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import markdown
import nh3
from markdown.extensions.toc import slugify
from markupsafe import Markup

from flagstone.toolkit.web.highlight import highlight

__all__ = ["Heading", "MarkdownDocument", "highlight", "inline_markdown", "read_markdown", "render_markdown"]

LinkRewriter = Callable[[str], "str | None"]
"""Gets the target of a relative link or image and returns the address to use; None removes the link."""

_EXTENSIONS = (
    "tables",
    "toc",
    "admonition",
    "def_list",
    "footnotes",
    "sane_lists",
    "pymdownx.details",
    "pymdownx.tabbed",
    "pymdownx.superfences",
    "pymdownx.highlight",
    "pymdownx.inlinehilite",
    "pymdownx.tasklist",
    "pymdownx.mark",
    "pymdownx.tilde",
    "pymdownx.caret",
    "pymdownx.magiclink",
)
_MARKED = re.compile(r"[*_`\[<#~|]|https?://|\n\s*\n|^\s*[-+] ", re.MULTILINE)
_RESERVED_IDS = frozenset({"main", "side", "account", "theme-menu", "palette", "palette-list", "shortcuts", "toasts"})
_TAGS = set(
    """
    a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5
    h6 hr i img input ins kbd label li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th
    thead tr u ul var
    """.split()  # noqa: SIM905  a list of words reads better than seventy quoted ones
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class", "id", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "input": {"type", "checked", "disabled", "name"},
    "label": {"for"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
}
_SCHEMES = {"http", "https", "mailto"}
_TASK = re.compile(r'(<input type="checkbox" disabled=""( checked="")?)>')
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """One entry of the table of contents."""

    level: int
    title: str
    id: str


@dataclass(frozen=True, slots=True)
class MarkdownDocument:
    """A rendered document and its headings in order."""

    html: Markup
    headings: tuple[Heading, ...]


def render_markdown(text: str, *, base_url: str, link_rewriter: LinkRewriter | None = None) -> Markup:
    """The safe HTML of a Markdown text, to stand in ``.p-prose``.

    :param base_url: relative links and images are resolved against this address; empty leaves them as they are.
    :param link_rewriter: has the first word on relative links and images.
    """
    return read_markdown(text, base_url=base_url, link_rewriter=link_rewriter).html


def inline_markdown(text: str) -> Markup | str:
    """A short text of a template's author: as it is when it is plain, else as Markdown, without its one paragraph."""
    if not _MARKED.search(text):
        return text
    html = render_markdown(text, base_url="").strip()
    if html.startswith("<p>") and html.endswith("</p>") and html.count("<p>") == 1:
        html = html[3:-4]
    return Markup(html)  # noqa: S704  cleaned by render_markdown


def read_markdown(text: str, *, base_url: str, link_rewriter: LinkRewriter | None = None) -> MarkdownDocument:
    """The same with the headings. Front matter is ignored."""
    converter = markdown.Markdown(extensions=list(_EXTENSIONS), extension_configs=_configs(), output_format="html")
    raw = converter.convert(_FRONT_MATTER.sub("", text, count=1))
    tokens: list[dict[str, Any]] = getattr(converter, "toc_tokens", [])
    return MarkdownDocument(Markup(_clean(raw, base_url, link_rewriter)), tuple(_headings(tokens)))  # noqa: S704


def _configs() -> dict[str, dict[str, Any]]:
    return {
        "toc": {
            "permalink": "#",
            "permalink_class": "header-anchor",
            "permalink_title": "Link to this section",
            "slugify": _slug,
        },
        "pymdownx.tabbed": {"alternate_style": True},
        "pymdownx.superfences": {"custom_fences": []},
        "pymdownx.highlight": {"css_class": "p-code", "use_pygments": True, "auto_title": False, "linenums": None},
        "pymdownx.inlinehilite": {"css_class": "p-code"},
        "pymdownx.tasklist": {"custom_checkbox": False},
    }


def _slug(value: str, separator: str) -> str:
    slug = slugify(value, separator)
    return f"{slug}-section" if slug in _RESERVED_IDS else slug


def _headings(tokens: Iterable[dict[str, Any]]) -> Iterable[Heading]:
    for token in tokens:
        yield Heading(int(token["level"]), str(token["name"]), str(token["id"]))
        yield from _headings(token["children"])


def _clean(html: str, base_url: str, link_rewriter: LinkRewriter | None) -> str:
    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "class":
            return _classes(value)
        if name in ("id", "for"):
            return None if value in _RESERVED_IDS else value
        if name in ("href", "src"):
            return _address(value, base_url, link_rewriter)
        if tag == "input" and name == "type":
            return value if value in ("checkbox", "radio") else "checkbox"
        return value

    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        clean_content_tags={"script", "style", "iframe", "object", "template", "noscript"},
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
        strip_comments=True,
        # A code block that scrolls must be reachable by keyboard.
        set_tag_attribute_values={"pre": {"tabindex": "0"}},
    )
    return _TASK.sub(lambda box: f'{box[1]} aria-label="{"Done" if box[2] else "Not done"}">', cleaned)


def _classes(value: str) -> str | None:
    """Keep the classes of the extensions; our own (``p-``) would let a document dress up as the product."""
    kept = [name for name in value.split() if not name.startswith("p-") or name == "p-code"]
    return " ".join(kept) or None


def _address(value: str, base_url: str, link_rewriter: LinkRewriter | None) -> str | None:
    target = value.strip()
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme and parts.scheme.lower() not in _SCHEMES:
        return None
    if parts.scheme or parts.netloc or target.startswith("#"):
        return target
    if link_rewriter is not None:
        rewritten = link_rewriter(target)
        if rewritten is None:
            return None
        target = rewritten
    return urljoin(base_url, target) if base_url else target
