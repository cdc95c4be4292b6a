"""Every door passes the one decision point."""

from __future__ import annotations

from collections import Counter

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.foundation.access import AccessService, census


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("census")
    return build(load_settings(None, environ={}, overrides={"server.data_dir": str(folder)}), discover=False)


def test_every_route_names_a_permission_or_says_why_it_is_public(app):
    found = census(app.asgi)
    unguarded = [guard for guard in found if guard.kind != "mount" and guard.permission is None and not guard.public]
    assert unguarded == []
    # What is mounted guards itself: git asks the repositories slice, static files are for everybody.
    assert {guard.path for guard in found if guard.kind == "mount"} == {"/git", "/static"}


def test_every_permission_of_a_route_is_registered(app):
    known = {permission.name for permission in app.deps.get(AccessService).permissions()}
    assert {guard.permission for guard in census(app.asgi) if guard.permission} - known == set()


def test_no_two_routes_answer_the_same_request(app):
    seen = Counter((guard.path, method) for guard in census(app.asgi) for method in guard.methods)
    assert {key: count for key, count in seen.items() if count > 1} == {}
