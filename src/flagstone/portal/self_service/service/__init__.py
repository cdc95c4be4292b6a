"""What self service does: reading runs, following them, acting on entities."""

from flagstone.portal.self_service.service.actions import Deletion, EntityActions, Standing
from flagstone.portal.self_service.service.following import follow_log, follow_run
from flagstone.portal.self_service.service.runs import Proof, RunReader

__all__ = ["Deletion", "EntityActions", "Proof", "RunReader", "Standing", "follow_log", "follow_run"]
