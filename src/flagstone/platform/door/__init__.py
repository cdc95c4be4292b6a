"""The platform's side of the door: the gateway in process, and what a portal elsewhere needs beyond the other
slices' APIs.

It joins the slices below it and decides nothing itself: each of their services checks the caller again.
"""

from flagstone.platform.door.service import LocalGateway

__all__ = ["LocalGateway"]
