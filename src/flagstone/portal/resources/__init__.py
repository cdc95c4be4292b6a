"""Resources as people see them: the list, one of them with its outputs, and asking for another.

They are not entities of kind Resource: those describe what is there anywhere, these are what the platform provides for
a component in an environment. The platform makes and removes them; this slice only asks it to.
"""

from flagstone.portal.resources.service import ResourceRequests

__all__ = ["ResourceRequests"]
