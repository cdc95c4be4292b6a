"""Server-sent events: headers, and where a reader goes on after a lost line."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Request
from fastapi.responses import StreamingResponse

from flagstone.portal.self_service.service.following import with_pings

_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


def stream(frames: AsyncGenerator[str, None]) -> StreamingResponse:
    """An event stream that shows a sign of life every 15 seconds and is never buffered."""
    return StreamingResponse(with_pings(frames), media_type="text/event-stream", headers=_HEADERS)


def cursor_of(request: Request, default: int) -> tuple[int, int]:
    """(cursor, number of lines) that a reader has: what its browser says, else what the address says."""
    query = request.query_params
    for text in (request.headers.get("last-event-id"), query.get("last_event_id"), query.get("after")):
        first, _, second = (text or "").partition(".")
        if first.isascii() and first.isdecimal() and len(first) < 19:
            number = int(second) if second.isascii() and second.isdecimal() and len(second) < 10 else 0
            return max(int(first), default), number
    return default, 0
