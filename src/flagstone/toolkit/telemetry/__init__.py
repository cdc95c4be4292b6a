"""What every log line and audit row of one request has in common. Exporters and dashboards do not belong here."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("flagstone_request_id", default="")
"""The id of the request being served, empty outside of one. Set by the outermost middleware."""

__all__ = ["request_id"]
