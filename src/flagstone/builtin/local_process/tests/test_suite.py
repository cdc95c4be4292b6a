"""The conformance suite for runtimes."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from flagstone.builtin.local_process.runtime import LocalProcessRuntime
from flagstone.testing.suites.runtime_suite import RuntimeSuite


class TestLocalProcessRuntime(RuntimeSuite):
    options = MappingProxyType({"probe_interval": 0.3, "health_timeout": 10, "stop_grace": 3})

    @pytest.fixture
    def make_runtime(self):
        return LocalProcessRuntime
