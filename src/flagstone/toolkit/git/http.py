"""Git's smart HTTP protocol as an ASGI app around ``git http-backend``, streamed in both directions."""
