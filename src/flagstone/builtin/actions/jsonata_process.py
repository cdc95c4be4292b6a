"""Evaluates one JSONata expression; started as a program, so that what never ends can be ended.

Standard input: ``{"data": …, "expression": "…"}``; standard output: ``{"result": …}`` or ``{"error": "…"}``.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Read, evaluate, write."""
    import jsonata  # type: ignore[import-untyped]  # slow; only the process that evaluates needs it

    asked = json.loads(sys.stdin.buffer.read())
    answer: dict[str, Any]
    try:
        answer = {"result": jsonata.Jsonata(asked["expression"]).evaluate(asked["data"])}
        text = json.dumps(answer, allow_nan=False)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is the expression's fault
        text = json.dumps({"error": f"{error!s:.500}" or type(error).__name__})
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
