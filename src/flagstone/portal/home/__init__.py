"""The home page: what is mine, what runs, what ran, where to start. Composed of cards; anyone may add one.

Owns no data. A card about one capability belongs to that capability.
"""

from flagstone.portal.home.cards import GettingStartedCard, MineCard, StartCard

__all__ = ["GettingStartedCard", "MineCard", "StartCard"]
