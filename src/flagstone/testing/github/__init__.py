"""A GitHub for tests: REST API and git over HTTP on the loopback address, with real repositories and faults on demand.

    with FakeGitHub(tmp_path) as github:
        github.repository("acme/shop", {"README.md": "# Shop"})
        github.fail("reset", match="POST /repos/acme/shop/pulls", after=True)

It keeps to what GitHub documents of the endpoints that Flagstone asks for; an endpoint it does not know answers 404 and
is listed in ``unknown``.
"""

from flagstone.testing.github.server import FakeGitHub
from flagstone.testing.github.state import Fault, Refusal, Repo

__all__ = ["FakeGitHub", "Fault", "Refusal", "Repo"]
