"""Writes YAML that every reader understands in the same way: block style, stable order, quotes where in doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from flagstone.kernel.errors import Invalid

_STRING = "tag:yaml.org,2002:str"
_MAX_DEPTH = 100
# Readers of YAML 1.2 take these for numbers, readers of 1.1 do not; the dumper's own list is that of 1.1.
_NUMBERS_OF_1_2 = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class _Dumper(yaml.CSafeDumper):
    """Lists below their key are indented; nothing is ever written as an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    if "\n" in value:
        return dumper.represent_scalar(_STRING, value, style="|")
    return dumper.represent_scalar(_STRING, value, style="'" if _NUMBERS_OF_1_2.fullmatch(value) else None)


_Dumper.add_representer(str, _text)


def dump_yaml(value: Any) -> str:
    """Plain JSON data as one YAML document; members stay in their order. Raises Invalid (``yaml.not_plain``)."""
    return str(
        yaml.dump(
            _plain(value, 0),
            Dumper=_Dumper,
            allow_unicode=True,
            default_flow_style=False,
            sort_keys=False,
            width=10_000,
        )
    )


def _plain(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise Invalid("yaml.not_plain", f"The value nests deeper than {_MAX_DEPTH} levels.")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float) and value - value != 0:
        raise Invalid("yaml.not_plain", "Infinity and not-a-number can not be written.")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    raise Invalid("yaml.not_plain", f"A {type(value).__name__} can not be written as YAML.")
