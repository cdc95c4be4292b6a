"""The one way out: every request to an address that came from somebody else goes through :class:`Fetcher`.

It asks only hosts that the administrator allowed, connects to the very address it checked, follows redirects by hand
with the same checks, and bounds size and time. What the answer means belongs to the caller; there is no proxy support.
"""

from __future__ import annotations

from flagstone.toolkit.http.addresses import AllowedHost
from flagstone.toolkit.http.fetcher import Fetched, Fetcher

__all__ = ["AllowedHost", "Fetched", "Fetcher"]
