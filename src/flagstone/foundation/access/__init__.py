"""The one decision point: may this principal use this permission on something that belongs to that owner?

- *permission*: a name with the least role that has it everywhere; owners may have it, too
- *decision*: allowed or not, with the reason and what to do about it
- *owner*: an entity ref (a user or a group); who owns is told by the catalog, which adds a membership source
- *guard*: ``permit("runs.read")`` or ``public("why")`` on a route; a route has exactly one, and a census proves it

Who somebody is belongs to ``identity``; conditions in Rego will belong to ``policy``.
"""

from flagstone.foundation.access.guards import RouteGuard, census
from flagstone.foundation.access.model import Decision, covers
from flagstone.foundation.access.permissions import PERMISSIONS
from flagstone.foundation.access.service import AccessService
from flagstone.sdk.guards import Guard, permit, public

__all__ = ["PERMISSIONS", "AccessService", "Decision", "Guard", "RouteGuard", "census", "covers", "permit", "public"]
