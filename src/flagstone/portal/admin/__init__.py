"""Pages about the installation itself: what runs, plugins, settings, people, the audit log, the API, the components
gallery.

Owns no data: it shows what others keep. What a slice lets people configure belongs to that slice.
"""

from flagstone.portal.admin.service import AdminService

__all__ = ["AdminService"]
