"""The methods of texts, lists and numbers that templates written for JavaScript engines call.

A method is found by the type of its target and its name in a table; there is no other way to call anything.
"""

# ruff: noqa: ARG001, ARG005 - every function in the tables has the same signature
from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.patterns import Pattern
from flagstone.toolkit.templating.values import UNDEFINED, Value, is_list, is_number, same, to_text, whole

Method = Callable[..., Value]


def _span(length: int, start: Value, stop: Value) -> slice:
    return slice(whole(start, 0), whole(stop, length))


def split(budget: Budget, text: str, separator: Value = UNDEFINED, limit: Value = UNDEFINED) -> list[str]:
    """``text.split(separator, limit)``."""
    if separator is UNDEFINED:
        return [text]
    if isinstance(separator, Pattern):
        parts, at = [], 0
        for match in separator.matches(text, budget, everywhere=True):
            if match.end > match.start:
                parts.append(text[at : match.start])
                at = match.end
        parts.append(text[at:])
    else:
        mark = to_text(separator, budget)
        budget.items(text.count(mark) + 1 if mark else len(text))
        parts = text.split(mark) if mark else list(text)
    return parts[: whole(limit, len(parts))]


def replace(budget: Budget, text: str, old: Value, new: Value = "", *, count: int = 1) -> str:
    """``text.replace(old, new)``: the first place, or all for ``count`` -1 or a pattern with the flag g."""
    new_text = to_text(new, budget)
    if isinstance(old, Pattern):
        return old.replace(text, new_text, budget)
    old_text = to_text(old, budget)
    places = text.count(old_text)
    places = places if count < 0 else min(places, count)
    budget.text(len(text) + places * max(0, len(new_text) - len(old_text)))
    return text.replace(old_text, new_text, count)


def repeat(budget: Budget, text: str, count: Value) -> str:
    """``text.repeat(count)``."""
    times = whole(count, 0)
    if times < 0:
        raise TemplateError("A text can not be repeated a negative number of times.")
    budget.text(len(text) * times)
    return text * times


def _pad(budget: Budget, text: str, width: Value, fill: Value, *, left: bool) -> str:
    filler = " " if fill is UNDEFINED else to_text(fill, budget)
    missing = whole(width, 0) - len(text)
    if missing <= 0 or not filler:
        return text
    budget.text(len(text) + missing)
    padding = (filler * (missing // len(filler) + 1))[:missing]
    return padding + text if left else text + padding


def _substring(budget: Budget, text: str, start: Value = UNDEFINED, stop: Value = UNDEFINED) -> str:
    ends = sorted(max(0, min(len(text), whole(end, default))) for end, default in ((start, 0), (stop, len(text))))
    return text[ends[0] : ends[1]]


def _substr(budget: Budget, text: str, start: Value = UNDEFINED, length: Value = UNDEFINED) -> str:
    begin = whole(start, 0)
    begin = max(0, len(text) + begin) if begin < 0 else begin
    return text[begin : begin + max(0, whole(length, len(text)))]


def _at(budget: Budget, items: Value, index: Value = UNDEFINED) -> Value:
    place = whole(index, 0)
    return items[place] if -len(items) <= place < len(items) else UNDEFINED


def _char_at(budget: Budget, text: str, index: Value = UNDEFINED) -> str:
    place = whole(index, 0)
    return text[place] if 0 <= place < len(text) else ""


def _match(budget: Budget, text: str, pattern: Value) -> Value:
    if not isinstance(pattern, Pattern):
        raise TemplateError("match() needs a pattern, such as r/[a-z]+/.")
    found = pattern.matches(text, budget)
    if not found:
        return None
    if pattern.everywhere:
        return [text[match.start : match.end] for match in found]
    groups = [UNDEFINED if group is None else group for group in found[0].groups]
    return [text[found[0].start : found[0].end], *groups]


def _concat_text(budget: Budget, text: str, *more: Value) -> str:
    parts = [text, *(to_text(part, budget) for part in more)]
    budget.text(sum(map(len, parts)))
    return "".join(parts)


def _list_index(budget: Budget, items: list[Value], needle: Value = UNDEFINED) -> int:
    budget.spend(1 + len(items))
    return next((index for index, item in enumerate(items) if same(item, needle)), -1)


def _list_last_index(budget: Budget, items: list[Value], needle: Value = UNDEFINED) -> int:
    budget.spend(1 + len(items))
    return next((index for index in range(len(items) - 1, -1, -1) if same(items[index], needle)), -1)


def _join(budget: Budget, items: list[Value], separator: Value = ",") -> str:
    mark = to_text(separator, budget)
    parts = [to_text(item, budget) for item in items]
    budget.text(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def _slice_list(budget: Budget, items: list[Value], start: Value = UNDEFINED, stop: Value = UNDEFINED) -> list[Value]:
    chosen = items[_span(len(items), start, stop)]
    budget.items(len(chosen))
    return list(chosen)


def _concat_list(budget: Budget, items: list[Value], *more: Value) -> list[Value]:
    result = list(items)
    for part in more:
        extra = list(part) if is_list(part) else [part]
        budget.items(len(result) + len(extra))
        result += extra
    return result


def _flat(budget: Budget, items: list[Value]) -> list[Value]:
    return _concat_list(budget, [], *items)


def _reversed(budget: Budget, items: list[Value]) -> list[Value]:
    budget.items(len(items))
    return list(items)[::-1]


def _sorted(budget: Budget, items: list[Value]) -> list[Value]:
    budget.items(len(items))
    return sorted(items, key=lambda item: to_text(item, budget))


def _to_fixed(budget: Budget, value: float, digits: Value = 0) -> str:
    return f"{value:.{max(0, min(100, whole(digits, 0)))}f}" if math.isfinite(value) else to_text(value, budget)


_TEXT: dict[str, Method] = {
    "toUpperCase": lambda budget, text: text.upper(),
    "toLowerCase": lambda budget, text: text.lower(),
    "toString": lambda budget, text: text,
    "trim": lambda budget, text: text.strip(),
    "trimStart": lambda budget, text: text.lstrip(),
    "trimEnd": lambda budget, text: text.rstrip(),
    "split": split,
    "slice": lambda budget, text, start=UNDEFINED, stop=UNDEFINED: text[_span(len(text), start, stop)],
    "substring": _substring,
    "substr": _substr,
    "indexOf": lambda budget, text, part: text.find(to_text(part, budget)),
    "lastIndexOf": lambda budget, text, part: text.rfind(to_text(part, budget)),
    "includes": lambda budget, text, part: to_text(part, budget) in text,
    "startsWith": lambda budget, text, part: text.startswith(to_text(part, budget)),
    "endsWith": lambda budget, text, part: text.endswith(to_text(part, budget)),
    "replace": replace,
    "replaceAll": lambda budget, text, old, new="": replace(budget, text, old, new, count=-1),
    "charAt": _char_at,
    "at": _at,
    "concat": _concat_text,
    "repeat": repeat,
    "padStart": lambda budget, text, width, fill=UNDEFINED: _pad(budget, text, width, fill, left=True),
    "padEnd": lambda budget, text, width, fill=UNDEFINED: _pad(budget, text, width, fill, left=False),
    "match": _match,
}
_LIST: dict[str, Method] = {
    "join": _join,
    "includes": lambda budget, items, needle=UNDEFINED: _list_index(budget, items, needle) >= 0,
    "indexOf": _list_index,
    "lastIndexOf": _list_last_index,
    "slice": _slice_list,
    "concat": _concat_list,
    "flat": _flat,
    "reverse": _reversed,
    "sort": _sorted,
    "at": _at,
    "toString": lambda budget, items: to_text(items, budget),
}
_NUMBER: dict[str, Method] = {
    "toString": lambda budget, value: to_text(value, budget),
    "toFixed": _to_fixed,
}


def find_method(target: Value, name: str) -> Method:
    """The method of a value. Raises TemplateError when there is none."""
    if isinstance(target, str):
        table, kind = _TEXT, "a text"
    elif is_list(target):
        table, kind = _LIST, "a list"
    elif is_number(target) or isinstance(target, bool):
        table, kind = _NUMBER, "a number" if is_number(target) else "a boolean"
    else:
        kind = "an object" if isinstance(target, Mapping) else "null" if target is None else "undefined"
        raise TemplateError(f"{kind.capitalize()} has no method {name!r:.60}.")
    if name not in table or (isinstance(target, bool) and name != "toString"):
        raise TemplateError(f"{kind.capitalize()} has no method {name!r:.60}.")
    return table[name]
