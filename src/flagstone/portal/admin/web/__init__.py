"""The pages: about the installation, and about people."""

from flagstone.portal.admin.web import installation, people

__all__ = ["installation", "people"]
