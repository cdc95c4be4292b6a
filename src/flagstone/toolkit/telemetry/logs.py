"""Server logs: short lines for people, one JSON object per line for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from flagstone.toolkit.telemetry import request_id

_EXTRA = ("method", "path", "status", "ms")


class JsonFormatter(logging.Formatter):
    """``{"time", "level", "logger", "message", "request_id", …}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        body: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            body["request_id"] = request_id.get()
        body.update({key: getattr(record, key) for key in _EXTRA if hasattr(record, key)})
        if record.exc_info:
            body["error"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """``12:30:01 warning flagstone.catalog  message``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback if there is one."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{moment} {record.levelname.lower():7} {record.name.removeprefix('flagstone.')}  {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(*, form: str, level: str) -> None:
    """Send everything to standard error in one form. Libraries are kept to warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("flagstone").setLevel(level.upper())
    # The access log is for machines; people who watch the terminal want to see what matters.
    logging.getLogger("flagstone.access").setLevel(level.upper() if form == "json" else "WARNING")
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True
