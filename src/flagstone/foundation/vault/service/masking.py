"""Replacing the values of secrets in text, in every encoding in which a log is likely to show them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html.entities import codepoint2name

MASK = "[secret]"
_SHORTEST = 4
"""Shorter values are left alone: masking every ``1`` would hide the log and tell the value."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_BACKSLASH = r"(?:\\|%(?:25)*5[Cc]|&(?:amp;)*#(?:92|[xX]0*5[cC]);|&(?:amp;)*bsol;)"
_LEVELS = 8
"""Most backslashes before a character: quoting doubles them with each level."""
_LETTERS = {"\n": "n", "\r": "r", "\t": "t", "\f": "f", "\b": "b"}
_RUN = re.compile(r"\\+|.", re.DOTALL)


class Masker:
    """Replaces values and their base64, hex, URL, JSON, Python and HTML forms, and mixtures of the last four.

    Time is linear in the text. Also each line of a value with several lines, because logs come line by line.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {
            part for value in values for part in (value, value.strip(), *value.splitlines()) if len(part) >= _SHORTEST
        }
        # Longest first: a value that contains another one is replaced whole.
        ordered = sorted(parts, key=lambda item: (-len(item), item))
        literal = sorted({form for part in parts for form in _bytewise(part)}, key=lambda item: (-len(item), item))
        patterns = [*map(_charwise, ordered), *map(re.escape, literal)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def mask(self, text: str) -> str:
        """The text without the values."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text


def _charwise(value: str) -> str:
    """A pattern in which every character may be written in any of the ways in which text is quoted.

    Each quotes other characters, and texts are quoted more than once: a fixed list of whole forms misses some.
    """
    pattern = []
    quoted = True
    for run in _RUN.findall(value):
        if run[0] == "\\":
            # As one piece, since two quantifiers in a row would be tried in all combinations.
            pattern.append(f"{_BACKSLASH}{{{len(run)},{_LEVELS * len(run)}}}")
        else:
            pattern.append(run if run in _PLAIN else _written(run, quoted=quoted))
        quoted = run[0] != "\\"
    return "".join(pattern)


def _written(char: str, *, quoted: bool) -> str:
    """One character: itself, quoted, or by number."""
    code = ord(char)
    units = char.encode("utf-16-be", "surrogatepass")
    itself = [
        re.escape(char),
        "".join(f"%(?:25)*{_hex(f'{byte:02x}')}" for byte in char.encode("utf-8", "surrogatepass")),
        rf"&(?:amp;)*#(?:0*{code}|[xX]0*{_hex(f'{code:x}')});",
    ]
    names = {codepoint2name.get(code), "apos" if char == "'" else None} - {None}
    itself += [f"&(?:amp;)*{name};" for name in names]
    if char == " ":
        itself.append(r"\+")
    escape = [
        f"{_BACKSLASH}{{1,{_LEVELS}}}u".join(["", *(_hex(units[at : at + 2].hex()) for at in range(0, len(units), 2))])
    ]
    if code < 256:
        escape.append(f"{_BACKSLASH}{{1,{_LEVELS}}}x{_hex(f'{code:02x}')}")
    if code > 0xFFFF:
        escape.append(f"{_BACKSLASH}{{1,{_LEVELS}}}U{_hex(f'{code:08x}')}")
    if char in _LETTERS:
        escape.append(f"{_BACKSLASH}{{1,{_LEVELS}}}{_LETTERS[char]}")
    before = f"{_BACKSLASH}{{0,{_LEVELS - 1}}}" if quoted else ""
    return f"(?:{before}(?:{'|'.join(itself)})|{'|'.join(escape)})"


def _hex(digits: str) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit.lower()}{digit.upper()}]" for digit in digits)


def _bytewise(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogateescape")
    forms = {raw.hex(), raw.hex().upper()}
    for offset in range(3):
        # Inside a longer text a value may start at any of three places of a base64 group; the characters that depend on
        # its neighbours are cut off. Whole, it also appears with its padding.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode().rstrip("=")
            start = (offset * 8 + 5) // 6
            end = (offset + len(raw)) * 8 // 6
            core = text[start:end]
            if len(core) >= 2 * _SHORTEST:
                forms.add(core)
    forms.add(base64.b64encode(raw).decode())
    forms.add(base64.urlsafe_b64encode(raw).decode())
    return forms
