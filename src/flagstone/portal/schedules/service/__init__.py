"""What the pages, the API and the commands of schedules stand on."""

from flagstone.portal.schedules.service.schedules import ScheduleService, When
from flagstone.portal.schedules.service.versions import Version, VersionService

__all__ = ["ScheduleService", "Version", "VersionService", "When"]
