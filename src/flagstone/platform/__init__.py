"""Decide and do: everything that changes the world is a run. Knows nothing of the portal and works without it."""
