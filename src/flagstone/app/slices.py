"""The only list of slices. Order is the order of construction: a slice may ask for what those above it provide.

Names, not modules: a room that is not served is not even imported.
"""

FOUNDATION = ("events", "audit", "vault", "access", "identity", "notifications")
PLATFORM = (
    "runs",
    "workflows",
    "approvals",
    "triggers",
    "batches",
    "repositories",
    "environments",
    "resources",
    "deployments",
    "door",
)
PORTAL = (
    "catalog",
    "golden_paths",
    "action_reference",
    "self_service",
    "approval_inbox",
    "scaffolder",
    "upgrades",
    "schedules",
    "batches",
    "resources",
    "home",
    "admin",
)

BUILTIN_PORTAL = ("kinds", "sources", "http_gateway")
BUILTIN_PLATFORM = ("actions", "github", "local_process", "local_resources", "policies")
