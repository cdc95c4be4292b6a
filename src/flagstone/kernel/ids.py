"""Identifiers that sort by time: UUID version 7 (RFC 9562)."""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A UUIDv7 in text form. Within one process, later ids always sort after earlier ones."""
    global _last  # noqa: PLW0603  the only state: what makes later ids sort later
    with _lock:
        stamp = max(time.time_ns() // 1_000_000, _last)
        tail = int.from_bytes(os.urandom(10))
        if stamp <= _last:
            stamp = _last + 1
        _last = stamp
    value = (stamp & (1 << 48) - 1) << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
