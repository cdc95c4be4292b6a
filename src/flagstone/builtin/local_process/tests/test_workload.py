"""Units, probes and ports of Score documents."""

from __future__ import annotations

import pytest

from flagstone.builtin.local_process.workload import check, cpu_cores, memory_bytes, understand
from flagstone.testing.suites.runtime_suite import score


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("128Mi", 128 << 20),
        ("1Gi", 1 << 30),
        ("500K", 500_000),
        ("1.5M", 1_500_000),
        ("0.5Gi", 1 << 29),
        ("1024", 1024),
        (None, None),
        ("many", None),
    ],
)
def test_memory(text, size):
    assert memory_bytes(text) == size


@pytest.mark.parametrize(("text", "cores"), [("500m", 0.5), ("2", 2.0), ("0.25", 0.25), (None, None)])
def test_cpu(text, cores):
    assert cpu_cores(text) == cores


def test_a_probe_prefers_the_command_and_finds_its_port():
    document = score(probe=False, readinessProbe={"exec": {"command": ["true"]}, "httpGet": {"path": "/", "port": 1}})
    assert understand(document).readiness.command == ("true",)
    document = score()
    document["service"]["ports"] = {"web": {"port": 80, "targetPort": 8080}, "admin": {"port": 9000}}
    workload = understand(document)
    assert workload.ports_of(8080) == workload.ports_of(80) == "web"
    assert workload.ports_of(9000) == "admin"
    assert workload.ports_of(1) is None


@pytest.mark.parametrize("schedule", ["", "* * *", "61 * * * *", "@reboot", "0 0 31 2 *", "x"])
def test_schedules_that_never_come_are_refused(schedule):
    document = score()
    document["metadata"]["annotations"] = {"flagstone.dev/schedule": schedule}
    assert check(document) or understand(document).schedule is None


def test_udp_is_refused():
    document = score()
    document["service"]["ports"]["http"]["protocol"] = "UDP"
    assert "TCP only" in check(document)[0].message
