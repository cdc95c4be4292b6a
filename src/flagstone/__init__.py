"""Flagstone: an internal developer portal and platform in one package.

Nothing is imported here on purpose: each entry point loads only the rooms it serves.
"""

__version__ = "0.1.0"
