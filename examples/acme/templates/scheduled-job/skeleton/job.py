"""Runs once, prints a report, ends. Exit status 0 means that the work is done; anything else is a failed execution."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from datetime import datetime, timezone

NAME = ${{ values.name | dump }}
COMMIT = os.environ.get("FLAGSTONE_COMMIT", "unknown")

SAMPLE = [
    {"basket": "c-7421", "idle_days": 3},
    {"basket": "c-7398", "idle_days": 31},
    {"basket": "c-7011", "idle_days": 64},
]


def report(baskets: list[dict[str, object]], limit_days: int) -> dict[str, int]:
    """Count what the job would keep and remove. Replace this, and SAMPLE, with the real work."""
    counts = Counter("remove" if int(str(basket["idle_days"])) > limit_days else "keep" for basket in baskets)
    return {"checked": len(baskets), "keep": counts["keep"], "remove": counts["remove"]}


def log(level: str, **fields: object) -> None:
    """Write one JSON object as one line to standard output."""
    line = {"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "level": level, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Do the work once."""
    started = time.monotonic()
    log("info", event="started", name=NAME, commit=COMMIT)
    try:
        result = report(SAMPLE, limit_days=int(os.environ.get("LIMIT_DAYS", "30")))
    except Exception as error:  # say why in the log before failing
        log("error", event="failed", error=f"{type(error).__name__}: {error}")
        return 1
    log("info", event="finished", duration_ms=round((time.monotonic() - started) * 1000, 2), **result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
