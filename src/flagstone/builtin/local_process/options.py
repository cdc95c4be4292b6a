"""What can be set for this runtime, with the values that suit a laptop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from flagstone.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Options:
    """All in seconds, but for the counts."""

    health_timeout: float = 30.0
    """How long a new release may take to become healthy."""
    probe_timeout: float = 2.0
    """How long one answer to a probe may take."""
    probe_interval: float = 5.0
    """Between two probes of something that runs."""
    probe_failures: int = 3
    """So many failures in a row count."""
    drain_timeout: float = 10.0
    """How long requests in progress at a former release may take to finish."""
    stop_grace: float = 8.0
    """Between SIGTERM and SIGKILL."""
    backoff_first: float = 0.5
    """Before the first restart; doubled each time."""
    backoff_most: float = 30.0
    """Before any restart, at most."""
    crashes: int = 5
    """So many crashes without a stable minute between them: state ``crashed``."""
    stable_after: float = 60.0
    """Running that long makes earlier crashes forgotten."""
    job_timeout: float = 900.0
    """How long one execution of a scheduled workload may take."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Options:
        """From a mapping. Raises Invalid for names that do not exist and values that are not positive numbers."""
        known = {field.name: int if isinstance(field.default, int) else float for field in fields(cls)}
        wrong = [name for name in values if name not in known]
        wrong += [name for name, value in values.items() if name in known and not (_number(value) and value > 0)]
        if wrong:
            raise Invalid(
                "local.bad_options",
                f"The options of the runtime 'local' are not valid: {', '.join(sorted(wrong))}.",
                hint=f"Known options, all positive numbers: {', '.join(sorted(known))}.",
            )
        converted: dict[str, Any] = {name: known[name](value) for name, value in values.items()}
        return cls(**converted)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
