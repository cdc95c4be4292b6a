"""Rows, their chain, and what must not be in them. Pure."""

from flagstone.foundation.audit.model.redaction import redact, redact_text
from flagstone.foundation.audit.model.rows import (
    GENESIS,
    AuditHead,
    AuditQuery,
    AuditRow,
    Outcome,
    Verification,
)

__all__ = ["GENESIS", "AuditHead", "AuditQuery", "AuditRow", "Outcome", "Verification", "redact", "redact_text"]
