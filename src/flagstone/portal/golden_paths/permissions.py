"""What golden paths let people do."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "golden_paths.template.read"
RUN = "golden_paths.template.run"

PERMISSIONS = [
    Permission(READ, "See golden paths, their forms and their steps.", "viewer"),
    Permission(RUN, "Fill in golden paths, see their plan and start them.", "developer"),
]
