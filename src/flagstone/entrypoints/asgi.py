"""The ASGI app for servers other than ours: ``uvicorn flagstone.entrypoints.asgi:app``. Settings as usual."""

from __future__ import annotations

from flagstone.app.build import build
from flagstone.app.rooms import load_settings

_application = build(load_settings(None))
_application.migrate()
_application.claim()
app = _application.asgi
