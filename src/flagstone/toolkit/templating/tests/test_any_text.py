"""Whatever somebody writes into a template, the answer is a value or an Invalid."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.templating import UNDEFINED, Extensions, functions_called, render_file, render_value
from flagstone.toolkit.templating.filters import FILTERS

CONTEXT = {"s": "str", "n": 3, "f": 2.5, "a": [1, "x", None, [3]], "o": {"k": {"l": [1]}}, "z": None, "big": 10**400}
WORDS = [
    *(
        "${{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "${{-",
        "-}}",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ".",
        "|",
        "=",
        "\n",
        " ",
    ),
    *(
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "~",
        "==",
        "===",
        "!=",
        "<",
        ">=",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
    ),
    *(
        "s",
        "n",
        "f",
        "a",
        "o",
        "z",
        "big",
        "nope",
        "range",
        "always",
        "loop",
        "k",
        "length",
        "defined",
        "odd",
        "r/a+/g",
    ),
    *(
        "1",
        "0",
        "-1",
        "1e300",
        '"x"',
        "''",
        "null",
        "true",
        "split",
        "slice",
        "replace",
        "toFixed",
        "repeat",
        "&&",
        "||",
    ),
    *("for", "x in", "endfor", "endif", "elif", "set", "endset", "raw", "endraw", "macro m()", "endmacro", "m()"),
    *FILTERS,
]
LINES = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)
EXPRESSIONS = st.lists(st.sampled_from(WORDS[10:]), max_size=12).map(lambda words: "${{ " + " ".join(words) + " }}")


@settings(max_examples=400, deadline=None)
@given(LINES | EXPRESSIONS | st.text(max_size=50))
def test_any_text_gives_plain_data_or_a_clear_error(text: str) -> None:
    functions_called(text)
    try:
        value = render_value(text, CONTEXT, lenient=False)
        assert value is UNDEFINED or json.dumps(value) is not None
    except Invalid as error:
        if error.code not in ("templating.expression", "templating.limit"):
            raise
    try:
        assert isinstance(render_file(text, CONTEXT, name="f", trim_blocks=True, lstrip_blocks=True), str)
    except Invalid as error:
        if error.code not in ("templating.file", "templating.limit"):
            raise


@settings(max_examples=100, deadline=None)
@given(st.text().filter(lambda text: not any(mark in text for mark in ("${{", "{%", "{#"))))
def test_a_text_without_marks_stays_as_it_is(text: str) -> None:
    assert render_value(text, CONTEXT) == text
    assert render_file(text, CONTEXT) == text


def test_a_plugin_that_hands_out_objects_does_not_hand_them_to_the_outside() -> None:
    more = Extensions(functions={"leak": object, "cls": lambda: {"c": str}})
    for source in ("${{ leak() }}", "x${{ leak() }}", "${{ cls() }}", "${{ cls().c }}", "${{ leak().__class__ }}"):
        try:
            assert render_value(source, {}, lenient=False, extensions=more) is UNDEFINED
        except Invalid as error:
            if error.code != "templating.expression":
                raise
