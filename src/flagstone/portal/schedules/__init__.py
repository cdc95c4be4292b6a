"""Schedules as people see them: the list, one with its runs, and making one of a golden path that was filled in.

The platform keeps schedules and event triggers and starts their runs; this slice only asks it to.
"""

from flagstone.portal.schedules.service import ScheduleService, When

__all__ = ["ScheduleService", "When"]
