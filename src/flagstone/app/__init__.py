"""The composition root: settings -> databases -> plugins -> slices -> ASGI app.

Holds the only list of slices (``slices.py``). Nothing imports this but entry points and tests.
"""

from flagstone.app.build import Application, build
from flagstone.app.rooms import Rooms, load_settings

__all__ = ["Application", "Rooms", "build", "load_settings"]
