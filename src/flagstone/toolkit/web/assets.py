"""The built web assets: which files there are, their addresses, and an ASGI app that serves them.

Building them is the work of ``hatch_build.py`` and ``frontend/``; nothing here starts Node.js.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from flagstone.kernel.errors import NotFound, Unavailable

STATIC_DIR = Path(__file__).parent / "static"
STATIC_URL = "/static/"
IMMUTABLE = "public, max-age=31536000, immutable"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class AssetManifest:
    """What one build wrote: logical name to file name, and the markup of each icon."""

    files: Mapping[str, str]
    icons: Mapping[str, str]

    def url(self, name: str) -> str:
        """Address of an asset by its logical name (``kit.js``). :raises NotFound: for a name that was not built."""
        file = self.files.get(name)
        if file is None:
            raise NotFound(
                "web.asset_unknown",
                f"There is no web asset named {name!r}.",
                hint=f"Known names: {', '.join(sorted(self.files))}.",
            )
        return STATIC_URL + file


def load_manifest(directory: Path = STATIC_DIR) -> AssetManifest:
    """Read the manifest of a build. :raises Unavailable: if the assets were not built; names the command."""
    path = directory / "manifest.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unavailable(
            "web.assets_missing",
            f"The web assets were not built: {path} is missing.",
            hint="Run `make assets` (or `python hatch_build.py`) in the checkout, or install a released wheel.",
        ) from None
    return AssetManifest(files=raw["files"], icons=raw["icons"])


@cache
def default_manifest() -> AssetManifest:
    """The manifest of the installed package, read once."""
    return load_manifest()


def asset_url(name: str) -> str:
    """Address of an asset of the installed package, with its content hash: ``/static/kit.1a2b3c4d.js``."""
    return default_manifest().url(name)


@dataclass(frozen=True, slots=True)
class _Asset:
    media_type: str
    etag: str
    bodies: Mapping[str, bytes]  # by content coding; "identity" is always there


class StaticAssets:
    """ASGI app that serves one build from memory, precompressed, cacheable for ever (names carry the content hash).

    :raises Unavailable: when made without built assets.
    """

    def __init__(self, directory: Path = STATIC_DIR) -> None:
        manifest = load_manifest(directory)
        self._assets = {name: _read(directory / name) for name in manifest.files.values()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD below the mount point."""
        await self._respond(scope)(scope, receive, send)

    def _respond(self, scope: Scope) -> Response:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Only GET and HEAD are answered here.", 405, {"Allow": "GET, HEAD"})
        name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(STATIC_URL).strip("/")
        asset = self._assets.get(name)
        if asset is None:
            return PlainTextResponse("There is no such asset. Reload the page: it may have been replaced.", 404)
        request = Headers(scope=scope)
        coding = _coding(request.get("accept-encoding", ""), asset)
        etag = f'"{asset.etag}-{coding}"'
        headers = {"Cache-Control": IMMUTABLE, "ETag": etag, "Vary": "Accept-Encoding"}
        if etag in [tag.strip().removeprefix("W/") for tag in request.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if coding != "identity":
            headers["Content-Encoding"] = coding
        body = asset.bodies[coding]
        if scope["method"] == "HEAD":
            headers["Content-Length"] = str(len(body))
            body = b""
        return Response(body, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    bodies = {"identity": body}
    for coding, suffix in _ENCODINGS:
        twin = path.with_name(path.name + suffix)
        if twin.is_file():
            bodies[coding] = twin.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _Asset(media_type, hashlib.sha256(body).hexdigest()[:16], bodies)


def accepted_codings(accept_encoding: str) -> frozenset[str]:
    """The content codings that an ``Accept-Encoding`` header allows (``q=0`` forbids)."""
    accepted = set()
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding and parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(coding.strip())
    return frozenset(accepted)


def _coding(accept_encoding: str, asset: _Asset) -> str:
    accepted = accepted_codings(accept_encoding)
    return next((coding for coding, _ in _ENCODINGS if coding in accepted and coding in asset.bodies), "identity")
