"""What may be done with runs, and by whom."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "runs.run.read"
START = "runs.run.start"
CANCEL = "runs.run.cancel"
RETRY = "runs.run.retry"
ANSWER = "runs.run.answer"
RESOLVE = "runs.step.resolve"
ACTIONS = "runs.action.read"

PERMISSIONS = (
    Permission(READ, "See runs, their steps and logs.", "viewer"),
    Permission(START, "Start runs; each of their actions asks for its own permission, too.", "developer"),
    Permission(
        CANCEL,
        "Cancel runs of others. Who started a run, or owns what it is about, may cancel it anyway.",
        "maintainer",
        owner=True,
    ),
    Permission(
        RETRY,
        "Retry runs of others. Who started a run, or owns what it is about, may retry it anyway.",
        "maintainer",
        owner=True,
    ),
    Permission(
        RESOLVE,
        "Say whether a step was done when the platform cannot tell; who started the run may anyway.",
        "maintainer",
        owner=True,
    ),
    Permission(ANSWER, "Answer steps that ask for input: those who are asked, or whoever started the run.", "viewer"),
    Permission(ACTIONS, "See the actions that templates may use.", "viewer"),
)
