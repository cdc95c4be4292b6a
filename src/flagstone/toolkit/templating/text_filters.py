"""Filters that make texts or numbers out of texts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.methods import replace
from flagstone.toolkit.templating.values import UNDEFINED, Value, number, to_text, truthy, whole

_WORD = re.compile(r"\w+")
_INTEGER = re.compile(r"\s*([+-]?\d+)")
_DECIMAL = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_TAG = re.compile(r"</?[A-Za-z]")
_AROUND_LINK = re.compile(r"(?:\(|<|&lt;)?(.*?)(?:\.|,|\)|\n|&gt;)?", re.DOTALL)
_MAIL = re.compile(r"[\w.!#$%&'*+\-/=?^`{|}~]+@[a-z\d-]+(?:\.[a-z\d-]+)+", re.IGNORECASE | re.ASCII)
_SITE = re.compile(r"\.(?:org|net|com)(?::|/|$)")
_HTML = str.maketrans({"&": "&amp;", '"': "&quot;", "'": "&#39;", "<": "&lt;", ">": "&gt;", "`": "&#96;"})
_URL_SAFE = "!'()*-._~"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:].lower()


def _plain(change: Callable[[str], str]) -> Callable[..., Value]:
    def apply(budget: Budget, value: Value) -> str:
        text = to_text(value, budget)
        budget.text(len(text))
        return change(text)

    return apply


def _title(text: str) -> str:
    return " ".join(map(_capitalised, text.split(" ")))


def _escape(budget: Budget, value: Value) -> str:
    text = to_text(value, budget)
    budget.text(6 * len(text))
    return text.translate(_HTML)


def _center(budget: Budget, value: Value, width: Value = 80) -> str:
    text = to_text(value, budget)
    missing = max(0, whole(width, 80) - len(text))
    budget.text(len(text) + missing)
    before = missing // 2
    return " " * before + text + " " * (missing - before)


def _indent(budget: Budget, value: Value, width: Value = 4, indentfirst: Value = False) -> str:
    text = to_text(value, budget)
    blank = max(0, whole(width, 4))
    lines = text.count("\n") + 1
    budget.text(len(text) + lines * blank)
    indented = text.replace("\n", "\n" + " " * blank)
    return " " * blank + indented if truthy(indentfirst) else indented


def _link(word: str, length: int, attributes: str) -> str:
    found = _AROUND_LINK.fullmatch(word)
    url = found.group(1) if found else word
    if url.startswith(("http://", "https://")):
        return f'<a href="{url}"{attributes}>{url[:length]}</a>'
    if url.startswith("www."):
        return f'<a href="http://{url}"{attributes}>{url[:length]}</a>'
    if _MAIL.fullmatch(url):
        return f'<a href="mailto:{url}">{url}</a>'
    return f'<a href="http://{url}"{attributes}>{url[:length]}</a>' if _SITE.search(url) else word


def _urlize(budget: Budget, value: Value, length: Value = UNDEFINED, nofollow: Value = False) -> str:
    """Addresses become links; nothing is escaped, as nothing else of a template is."""
    text = to_text(value, budget)
    shown = whole(length, len(text))
    attributes = ' rel="nofollow"' if nofollow is True else ""
    budget.text(4 * len(text) + 60 * (text.count(".") + 1))
    return "".join(_link(word, shown, attributes) for word in re.split(r"(\s+)", text))


def _replace(budget: Budget, value: Value, old: Value, new: Value = "", count: Value = -1) -> Value:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return value
    return replace(budget, to_text(value, budget), old, new, count=whole(count, -1))


def _truncate(budget: Budget, value: Value, length: Value = 255, killwords: Value = False, end: Value = "...") -> str:
    text, most = to_text(value, budget), max(0, whole(length, 255))
    if len(text) <= most:
        return text
    cut = most
    if not truthy(killwords):
        space = text.rfind(" ", 0, most + 1)
        cut = space if space >= 0 else most
    tail = to_text(end, budget)
    budget.text(cut + len(tail))
    return text[:cut] + tail


def _striptags(budget: Budget, value: Value, preserve_linebreaks: Value = False) -> str:
    text = to_text(value, budget)
    budget.text(len(text))
    kept, at = [], 0
    while (start := text.find("<", at)) >= 0:
        budget.spend()
        comment = text.startswith("<!--", start)
        is_tag = comment or _TAG.match(text, start)
        close = text.find("-->" if comment else ">", start) if is_tag else -1
        if is_tag and close < 0:
            break
        kept.append(text[at:start] if is_tag else text[at : start + 1])
        at = close + (3 if comment else 1) if is_tag else start + 1
    plain = "".join([*kept, text[at:]]).strip()
    return (
        "\n".join(" ".join(line.split()) for line in plain.splitlines())
        if truthy(preserve_linebreaks)
        else " ".join(plain.split())
    )


def _urlencode(budget: Budget, value: Value) -> str:
    if isinstance(value, Mapping):
        pairs: list[Value] = list(value.items())
    elif isinstance(value, list | tuple):
        pairs = [pair for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
    else:
        text = to_text(value, budget)
        budget.text(12 * len(text))
        return quote(text, safe=_URL_SAFE)
    budget.items(len(pairs))
    return "&".join(
        f"{_urlencode(budget, to_text(key, budget))}={_urlencode(budget, to_text(item, budget))}" for key, item in pairs
    )


def _wordcount(budget: Budget, value: Value) -> Value:
    text = to_text(value, budget)
    budget.text(8 * len(text))
    return sum(1 for _ in _WORD.finditer(text)) or None


def _int(budget: Budget, value: Value, default: Value = UNDEFINED, base: Value = 10) -> Value:
    found = _INTEGER.match(to_text(value, budget)[:400])
    radix = whole(base, 10)
    if radix != 10:
        try:
            return number(int(to_text(value, budget)[:64].strip(), radix))
        except ValueError:
            return default
    if not found:
        return default
    digits = found.group(1)
    return int(digits) if len(digits) < 16 else number(float(digits))


def _float(budget: Budget, value: Value, default: Value = UNDEFINED) -> Value:
    found = _DECIMAL.match(to_text(value, budget)[:400])
    result = float(found.group(1)) if found else math.nan
    return default if math.isnan(result) else number(result)


FILTERS: dict[str, Callable[..., Value]] = {
    "capitalize": _plain(_capitalised),
    "center": _center,
    "e": _escape,
    "escape": _escape,
    "float": _float,
    "forceescape": _escape,
    "indent": _indent,
    "int": _int,
    "lower": _plain(str.lower),
    "nl2br": lambda budget, value: replace(budget, to_text(value, budget), "\n", "<br />\n", count=-1),
    "replace": _replace,
    "safe": lambda budget, value: value if isinstance(value, str) else to_text(value, budget),
    "string": lambda budget, value: to_text(value, budget),
    "striptags": _striptags,
    "title": _plain(_title),
    "trim": _plain(str.strip),
    "truncate": _truncate,
    "upper": _plain(str.upper),
    "urlencode": _urlencode,
    "urlize": _urlize,
    "wordcount": _wordcount,
}
