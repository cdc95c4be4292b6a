"""The wire types of the door between portal and platform, and the door itself (:class:`RunGateway`).

Values only: no I/O, no database, no framework but pydantic. Adding an optional member is compatible; anything else
needs a new ``VERSION``. What only one room needs does not belong here.
"""

VERSION = 1
"""Version of these types; both sides of a split deployment state it and refuse a stranger."""
