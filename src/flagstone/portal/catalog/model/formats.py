"""The formats of names, keys, tags, versions and addresses. Every check is of the whole text."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flagstone.kernel.errors import Invalid

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_NAMESPACE = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*")
_VERSION = re.compile(r"[a-z0-9A-Z]+")
_TAG = re.compile(r"[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NEED_A_HOST = frozenset({"http", "https", "ftp", "ws", "wss"})


def _is(pattern: re.Pattern[str], value: object, most: int = 63) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and pattern.fullmatch(value) is not None


def is_dns_subdomain(value: object) -> bool:
    """Lower case DNS labels, 253 characters at most."""
    if not isinstance(value, str) or not 1 <= len(value) <= 253:
        return False
    return all(_is(_LABEL, part) for part in value.split("."))


def is_api_version(value: object) -> bool:
    """``v1`` or ``example.com/v1``."""
    if not isinstance(value, str):
        return False
    prefix, slash, suffix = value.rpartition("/")
    return _is(_VERSION, suffix) and (not slash or is_dns_subdomain(prefix))


def is_kind(value: object) -> bool:
    """Letters and digits, a letter first."""
    return _is(_KIND, value)


def is_name(value: object) -> bool:
    """Letters, digits, ``-_.`` inside."""
    return _is(_NAME, value)


def is_namespace(value: object) -> bool:
    """Lower case letters and digits, ``-`` inside."""
    return _is(_NAMESPACE, value)


def is_label_key(value: object) -> bool:
    """``name`` or ``example.com/name``."""
    if not isinstance(value, str):
        return False
    prefix, slash, name = value.partition("/")
    return (is_dns_subdomain(prefix) and is_name(name)) if slash else is_name(value)


def is_label_value(value: object) -> bool:
    """Empty, or as a name."""
    return value == "" or is_name(value)


is_annotation_key = is_label_key


def is_annotation_value(value: object) -> bool:
    """Any text."""
    return isinstance(value, str)


def is_tag(value: object) -> bool:
    """Lower case letters, digits, ``:+#``, single ``-`` inside."""
    return _is(_TAG, value)


def is_url(value: object) -> bool:
    """An absolute URL of any scheme. Being valid does not make it safe to link to: pages decide that themselves."""
    if not isinstance(value, str) or _SCHEME.match(value) is None:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.hostname) if parts.scheme in _NEED_A_HOST else True


def is_safe_link(value: object) -> bool:
    """An address that a page may link to."""
    return is_url(value) and urlsplit(str(value)).scheme in ("http", "https", "mailto")


def parse_location_ref(text: str) -> tuple[str, str]:
    """``type:target`` -> (type, target). Raises Invalid (``catalog.bad_location``)."""
    type_, _, target = text.partition(":")
    type_, target = type_.strip(), target.strip()
    if type_ in ("http", "https"):
        raise Invalid(
            "catalog.bad_location", f"{text!r} names no type of location.", hint=f"Write url:{text.strip()} instead."
        )
    if not type_ or not target:
        raise Invalid(
            "catalog.bad_location", f"{text!r} is not a location.", hint="Write type:target, as in url:https://…"
        )
    if target.lower().startswith("javascript:"):
        raise Invalid("catalog.bad_location", f"{text!r} is not a location that can be read.")
    return type_, target
