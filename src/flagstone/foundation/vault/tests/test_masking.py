"""Secrets in log lines."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagstone.foundation.vault import Masker
from flagstone.foundation.vault.service.masking import MASK

SECRET = 'pa$$ wörd/"&<1>'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        SECRET.encode().hex(),
        html.escape(SECRET),
        repr(SECRET + "'")[1:-3],
        repr(SECRET + "'\"")[1:-4],
        ascii(SECRET)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(repr(json.dumps(SECRET)))[4:-4],
        html.escape(html.escape(SECRET)),
        quote(quote(SECRET)),
        quote(SECRET, safe="!'()*~"),
        quote(SECRET, safe=";,/?:@&=+$-_.!~*'()#"),
        quote(json.dumps(SECRET)[1:-1]),
        html.escape(json.dumps(SECRET)[1:-1]),
        html.escape(SECRET).replace("&quot;", "&#34;"),
        quote(SECRET).replace("%20", "+").lower(),
    ],
)
def test_a_value_is_hidden_in_whatever_encoding_it_is_shown(shown):
    assert Masker([SECRET]).mask(f"before {shown} after") == f"before {MASK} after"


@pytest.mark.parametrize(
    "secret", ["C:\\\\srv\\x\\", '\\"\\"', "a\nb\tc\r\nd", "it's `so` 100%25", "&amp;&quot;<", "\U0001f511 key"]
)
@pytest.mark.parametrize(
    "write",
    [
        str,
        repr,
        ascii,
        json.dumps,
        quote,
        html.escape,
        lambda text: repr(json.dumps(text)),
        lambda text: quote(repr(text)),
    ],
)
def test_odd_characters_are_hidden_however_they_are_quoted(secret, write):
    masked = Masker([secret]).mask(f"{write(secret)}{write('.')}")
    assert masked.count(MASK) == 1
    assert len(masked) < len(MASK) + 16, masked


@pytest.mark.parametrize("head", ["", "x", "xy", "xyz", "user:"])
def test_a_value_inside_a_longer_base64_text_is_hidden(head):
    """Basic credentials: base64 of ``user:password``."""
    secret = "correct-horse-battery"
    line = base64.b64encode(f"{head}{secret} and more".encode()).decode()
    masked = Masker([secret]).mask(line)
    assert MASK in masked
    rest = masked.replace(MASK, "")
    assert len(rest) <= len(line) - len(secret)


def test_each_line_of_a_private_key_is_hidden():
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
    masker = Masker([key])
    for line in key.splitlines():
        assert masker.mask(f"| {line}") == f"| {MASK}"


def test_short_values_are_left_alone_and_long_ones_win():
    assert Masker(["1", "abc"]).mask("1 abc") == "1 abc"
    assert Masker([]).mask("text") == "text"
    assert Masker(["hunter", "hunter2-long"]).mask("hunter2-long hunter") == f"{MASK} {MASK}"


def test_masking_takes_time_in_proportion_to_the_text():
    masker = Masker(
        [f"secret-value-{number}" for number in range(20)]
        + ["a" * 60, "\\" * 40 + "!", "%25" * 20 + "!", "\\ " * 30 + "!", "&amp;" * 20]
    )
    timings = []
    for size in (20_000, 200_000):
        text = "aaaaaaaaaaab%25%25%2525\\\\\\\\\\\\\\ \\\\\\ &amp;amp;amp;" * (size // 60)
        spent = []
        for _ in range(3):
            started = time.thread_time()
            masker.mask(text)
            spent.append(time.thread_time() - started)
        timings.append(min(spent))
    assert timings[1] < 40 * max(timings[0], 0.001)


@given(st.text(min_size=4, max_size=30), st.text(max_size=50), st.text(max_size=50))
def test_no_text_around_a_value_brings_it_through(secret, before, after):
    masked = Masker([secret]).mask(before + secret + after)
    assert secret not in masked or secret in MASK or secret in (before + MASK + after)
