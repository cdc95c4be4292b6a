"""From the parser's words to a person's: what is probably wrong and how to mend it."""

from __future__ import annotations

import re

_TEMPLATE = re.compile(r"\{\{|\{%")
_UNRENDERED = (
    "This looks like a template that was not rendered. Render it first, put the expression in quotes, "
    "or keep the folder of the template out of what is read."
)
_HINTS = (
    ("that cannot start any token", "A value can not begin with this character. Put quotes around the value."),
    ("found character '\\t'", "There is a tab. YAML is indented with spaces only."),
    ("mapping values are not allowed", "Check the indentation; a value that holds ': ' needs quotes around it."),
    ("did not find expected key", "Check the indentation: this line does not line up with the ones it belongs to."),
    ("did not find expected '-' indicator", "Check the indentation of this list; each item begins with '- '."),
    ("block sequence entries are not allowed", "A list has to begin on its own line, below its key."),
    (
        "could not find expected ':'",
        "A key needs ': ' and a value after it; or a text goes on with a wrong indentation.",
    ),
    ("unexpected end of stream", "A quote is opened here and never closed."),
    ("unexpected document indicator", "A quote is opened here and never closed before the next ---."),
    ("did not find expected ',' or", "A bracket is opened here and never closed, or a comma is missing."),
    ("did not find expected node content", "Something is missing here, or a bracket or comma is one too many."),
    (
        "did not find expected <document start>",
        "A new document begins with a line ---; check the indentation before it.",
    ),
    ("undefined alias", "The name after * is not defined by an & before it. A text that begins with * needs quotes."),
    ("unknown escape character", "Inside double quotes \\ has a meaning. Use single quotes, or write \\\\."),
    ("duplicate anchor", "Use each name after & once."),
    ("tag", "Tags (!) are not supported. A text that begins with ! needs quotes."),
)


def hint_for(message: str, line_text: str) -> str | None:
    """What to do about a message of the parser, with the line it is about."""
    if _TEMPLATE.search(line_text):
        return _UNRENDERED
    indentation = line_text[: len(line_text) - len(line_text.lstrip())]
    if "\t" in indentation or "found character '\\t'" in message:
        return "There is a tab. YAML is indented with spaces only."
    return next((hint for part, hint in _HINTS if part in message), None)
