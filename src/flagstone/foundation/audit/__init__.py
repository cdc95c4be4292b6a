"""The audit log: who did what to what, when, from where and how it ended; append-only, each row chained to the last.

- *record*: one row; ``action`` is ``slice.thing.verb``, ``resource`` a reference, ``outcome`` ok, denied or failed
- *chain*: hash = SHA-256(canonical JSON || hash before); an edited, deleted or swapped row is found by ``verify``
- *head*: sequence number and hash of the newest row; kept elsewhere, it also proves that the tail was not cut off

Values of secrets never enter: ``model.redaction``. Log lines for operators do not belong here.
"""

from flagstone.foundation.audit.model import AuditHead, AuditQuery, AuditRow, Outcome, Verification, redact
from flagstone.foundation.audit.permissions import PERMISSIONS
from flagstone.foundation.audit.service import AuditLog, HomeAudit, PlatformAudit, PortalAudit

__all__ = [
    "PERMISSIONS",
    "AuditHead",
    "AuditLog",
    "AuditQuery",
    "AuditRow",
    "HomeAudit",
    "Outcome",
    "PlatformAudit",
    "PortalAudit",
    "Verification",
    "redact",
]
