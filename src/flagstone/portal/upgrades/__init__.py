"""Upgrades: what was made by a golden path is brought up to the golden path's newest version.

- *memory*: which template, in which version and with which answers made a component, and the commit it made
- *behind*: the template has another version by now; counted in versions that were seen since
- *upgrade*: a run that renders the new version with the remembered answers and proposes the merge as a change request

Rendering and merging belong to the platform; forms and templates belong to golden_paths.
"""

from flagstone.portal.upgrades.service import UpgradeService

__all__ = ["UpgradeService"]
