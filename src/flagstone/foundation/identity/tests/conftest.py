"""What the tests of identity share: a clock that is moved by hand, the foundation, and Ada."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagstone.kernel.actor import system
from flagstone.testing.foundation import Foundation
from flagstone.testing.people import PASSWORD

SYSTEM = system("test")


class Clock:
    def __init__(self):
        self.now = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, **parts):
        self.now += timedelta(**parts)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def foundation(database, clock):
    return Foundation(database, now=clock)


@pytest.fixture
def identity(foundation):
    return foundation.identity


@pytest.fixture
def ada(identity):
    account = identity.accounts.create("ada", role="developer", actor=SYSTEM)
    identity.accounts.set_password(account, PASSWORD, actor=SYSTEM)
    return identity.accounts.get("ada")
