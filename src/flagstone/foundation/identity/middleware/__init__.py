"""ASGI middleware: who sent this request, and did they mean to?"""

from flagstone.foundation.identity.middleware.cookies import COOKIE
from flagstone.foundation.identity.middleware.identity import IdentityMiddleware

__all__ = ["COOKIE", "IdentityMiddleware"]
