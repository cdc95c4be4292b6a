"""The gateway in process: the portal's questions are answered by the platform's services, without a network.

One file for each part of the door beside :class:`LocalGateway` itself.
"""

from flagstone.platform.door.service.gateway import LocalGateway

__all__ = ["LocalGateway"]
