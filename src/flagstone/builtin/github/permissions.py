"""What the actions of this plugin ask for beside the permission to start runs."""

from __future__ import annotations

from flagstone.sdk import Permission

CREATE = "github.repository.create"
CHANGE = "github.repository.change"
DISPATCH = "github.workflow.dispatch"

PERMISSIONS = (
    Permission(CREATE, "Have runs create repositories on GitHub.", "developer"),
    Permission(CHANGE, "Have runs change repositories on GitHub: files, pull requests, issues, settings.", "developer"),
    Permission(DISPATCH, "Have runs start workflows of GitHub Actions.", "developer"),
)
"""What a run may then do is bounded by the credential of the host."""
