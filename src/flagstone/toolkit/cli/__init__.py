"""What every command shares: the client to the REST API, where its credentials lie, output for people and programs,
exit codes. Knows no command.
"""

from flagstone.toolkit.cli.client import Client
from flagstone.toolkit.cli.output import Output, guard
from flagstone.toolkit.cli.profile import Profile
from flagstone.toolkit.cli.session import Session, session

__all__ = ["Client", "Output", "Profile", "Session", "guard", "session"]
