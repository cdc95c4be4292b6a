"""What the scaffolder API lets people do; golden paths and runs decide again."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "scaffolder.task.read"
CREATE = "scaffolder.task.create"
DRY_RUN = "scaffolder.template.dry_run"

PERMISSIONS = [
    Permission(READ, "See tasks, templates' forms and actions through Backstage's scaffolder API.", "viewer"),
    Permission(CREATE, "Start, cancel and retry tasks through Backstage's scaffolder API.", "developer"),
    Permission(DRY_RUN, "Try a template that is not registered, without changing anything.", "developer"),
]
