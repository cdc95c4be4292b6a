"""Reading posted forms, with a limit before anything is kept in memory."""

from __future__ import annotations

from fastapi import Request

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.web.forms import Pairs, parse_body
from flagstone.toolkit.web.forms.posted import MAX_BODY


async def read_pairs(request: Request) -> Pairs:
    """The fields of the request's body. Raises Invalid when it is too large or no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise Invalid("form.unreadable", f"A form is expected here, not {kind[:60]}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return parse_body(bytes(body))
