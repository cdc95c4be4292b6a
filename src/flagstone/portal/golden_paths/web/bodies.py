"""Reading posted forms, with a limit before anything is kept in memory."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.web.forms import Pairs, parse_body
from flagstone.toolkit.web.forms.formats import MAX_FILE
from flagstone.toolkit.web.forms.posted import MAX_BODY

_MAX_FILES = 20
_MAX_FIELDS = 5_000


async def read_pairs(request: Request) -> Pairs:
    """The fields of the request's body. Raises Invalid when it is too large or no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded", "multipart/form-data"):
        raise Invalid("form.unreadable", f"A form is expected here, not {kind[:60]}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    if kind != "multipart/form-data" or len(body) > MAX_BODY:
        return parse_body(bytes(body))
    return await _parts(request, bytes(body))


async def _parts(request: Request, body: bytes) -> Pairs:
    """A form with files: each becomes a data URL, which is what the schema asks for."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, stream(), max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=MAX_BODY
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Invalid("form.unreadable", "The posted form cannot be read.", hint="Reload the page.") from error
    pairs: list[tuple[str, str]] = []
    try:
        for name, value in form.multi_items():
            text = await _data_url(value) if isinstance(value, UploadFile) else value
            if text:
                pairs.append((name, text))
            elif not isinstance(value, UploadFile):
                pairs.append((name, ""))
    finally:
        await form.close()
    return Pairs(pairs)


async def _data_url(file: UploadFile) -> str:
    content = await file.read(MAX_FILE + 1)
    if not file.filename and not content:
        return ""
    if len(content) > MAX_FILE:
        raise Invalid(
            "form.file_too_large",
            f"{file.filename or 'A file'!s:.100} is too large to be filled in.",
            hint=f"A file may hold {MAX_FILE // 1000} kB. Put larger ones into the repository afterwards.",
        )
    kind = (file.content_type or "application/octet-stream").partition(";")[0].strip()
    name = quote((file.filename or "file").replace("\\", "/").rpartition("/")[2], safe=" .-_")
    return f"data:{kind};name={name};base64,{base64.b64encode(content).decode()}"
