"""Source code to coloured HTML (Pygments classes; the colours are in ``frontend/src/css/code.css``)."""

from __future__ import annotations

from markupsafe import Markup, escape
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

MAX_CHARACTERS = 200_000
"""Longer texts are shown without colours: lexing them would hold the request up."""

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def highlight(code: str, language: str | None) -> Markup:
    """Spans for the code, to stand in ``<pre><code>`` inside ``.p-code``; plain text for an unknown language."""
    if not language:
        return escape(code)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(code)
    return _coloured(code, lexer)


def highlight_file(code: str, name: str) -> Markup:
    """The same, with the language taken from a file name."""
    try:
        lexer = get_lexer_for_filename(name.rsplit("/", 1)[-1], stripnl=False)
    except ClassNotFound:
        return escape(code)
    return _coloured(code, lexer)


def _coloured(code: str, lexer: Lexer) -> Markup:
    if len(code) > MAX_CHARACTERS:
        return escape(code)
    return Markup(pygments_highlight(code, lexer, _FORMATTER))  # noqa: S704  Pygments escapes the text it wraps
