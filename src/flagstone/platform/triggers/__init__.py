"""Triggers: runs that start by themselves, by the clock or when something happened on the platform.

- *schedule*: a cron expression in a time zone; each *due time* starts exactly one run, whoever sees it first
- *event trigger*: a type of event with conditions; each event that fits starts one run, with inputs rendered from it
- *maker*: the person whose rights its runs have, as they are when a run starts

What a run may do is decided by ``workflows`` and ``runs`` as if the maker had asked for it in person.
"""

from flagstone.platform.triggers.permissions import PERMISSIONS
from flagstone.platform.triggers.service import TriggerService

__all__ = ["PERMISSIONS", "TriggerService"]
