"""Measures starts, a run of the example golden path, a redeployment, pages and API calls; prints a table, writes
JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench import catalog, runs
from flagstone.testing.server import ServerProcess, wait_until


class Bench:
    """Collects figures."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(self, what: str, values: list[float], unit: str) -> None:
        """Several readings of one figure."""
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        self.rows.append(
            {
                "what": what,
                "unit": unit,
                "n": len(values),
                "min": ordered[0],
                "median": statistics.median(ordered),
                "p95": p95,
            }
        )

    def show(self) -> None:
        """The table."""
        table = Table(title="Flagstone, measured", box=None, header_style="bold")
        for heading in ("figure", "n", "min", "median", "p95", "unit"):
            table.add_column(heading, justify="left" if heading in ("figure", "unit") else "right")
        for row in self.rows:
            table.add_row(
                str(row["what"]),
                str(row["n"]),
                *(f"{row[key]:.3g}" for key in ("min", "median", "p95")),
                str(row["unit"]),
            )
        Console().print(table)


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def starts(bench: Bench, folder: Path, rounds: int) -> None:
    """Cold starts into new folders, and second starts."""
    cold, loaded, second = [], [], []
    for number in range(rounds):
        server = ServerProcess(folder / f"start{number}", command=("up", "--example"))
        cold.append(timed(server.start))
        began = time.perf_counter()
        wait_until(
            lambda s=server: s.get("/api/v1/entities", limit=1, count="true")["items"], 60, "the example", pause=0.02
        )
        wait_until(
            lambda s=server: len(s.get("/api/v1/entities", limit=200)["items"]) >= 60, 60, "the example", pause=0.02
        )
        loaded.append(cold[-1] + time.perf_counter() - began)
        server.stop()
        second.append(timed(server.start))
        server.stop()
    bench.add("cold start, new data folder to ready", cold, "s")
    bench.add("cold start to the example organisation loaded", loaded, "s")
    bench.add("second start to ready", second, "s")


def golden_path(bench: Bench, server: ServerProcess, rounds: int) -> str:
    """Runs of the example golden path, then redeployments; returns the name of a created component."""
    names = [f"bench-{number}" for number in range(rounds)]
    durations = []
    for name in names:
        values = {
            "name": name,
            "owner": "group:default/platform-engineering",
            "description": "A service to be measured",
            "repoUrl": f"flagstone?owner=acme&repo={name}",
        }
        schema = server.get("/api/v1/templates/default/python-web-service")
        for step in schema["steps"]:
            for key, item in step["schema"].get("properties", {}).items():
                if key not in values and "default" in item:
                    values[key] = item["default"]
        began = time.perf_counter()
        run = server.post("/api/v1/templates/default/python-web-service/runs", {"values": values})
        run = run.get("run", run)
        ended = server.wait_for_run(run["id"])
        durations.append(time.perf_counter() - began)
        if ended["state"] != "succeeded":
            sys.exit(f"the golden path ended as {ended['state']}: {ended.get('error')}")
    bench.add("golden path with 4 steps, request to finished", durations, "s")
    redeploys = []
    for _ in range(rounds):
        began = time.perf_counter()
        run = server.post(f"/api/v1/entities/component/default/{names[0]}/deploy", {"environment": "development"})[
            "run"
        ]
        server.wait_for_run(run["id"])
        redeploys.append(time.perf_counter() - began)
    bench.add("redeployment, request to finished", redeploys, "s")
    return names[0]


def pages(bench: Bench, server: ServerProcess, name: str, rounds: int) -> None:
    """Pages and API calls, one after another."""
    wait_until(lambda: server.text(f"/api/v1/entities/component/default/{name}"), 20, "the entity")
    paths = {
        "page: home": "/",
        "page: catalog": "/catalog",
        "page: entity": f"/catalog/component/default/{name}",
        "page: golden paths": "/create",
        "page: wizard": "/create/default/python-web-service",
        "page: runs": "/runs",
        "page: run": "/runs/1",
        "api: list of entities": "/api/v1/entities?limit=50",
        "api: one entity": f"/api/v1/entities/component/default/{name}",
        "api: deployments": "/api/v1/deployments",
        "static: style sheet": None,
    }
    with server.client() as client:
        for what, path in paths.items():
            if path is None:
                html = client.get("/catalog", headers={"Accept": "text/html"}).text
                path = html.split('rel="stylesheet" href="')[1].split('"')[0]  # noqa: PLW2901
            headers = {"Accept": "text/html" if what.startswith("page") else "*/*"}
            client.get(path, headers=headers).raise_for_status()
            readings = []
            for _ in range(rounds):
                began = time.perf_counter()
                response: httpx.Response = client.get(path, headers=headers)
                readings.append((time.perf_counter() - began) * 1000)
                response.raise_for_status()
            bench.add(what, readings, "ms")


def main() -> None:
    """Run all, or the part that is named first: ``catalog``, ``runs``."""
    if sys.argv[1:2] == ["catalog"]:
        catalog.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["runs"]:
        runs.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("--rounds", type=int, default=3, help="starts and runs")
    parser.add_argument("--requests", type=int, default=60, help="requests per page")
    options = parser.parse_args()
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="flagstone-bench-") as name:
        folder = Path(name)
        starts(bench, folder, options.rounds)
        with ServerProcess(folder / "main", command=("up", "--example")) as server:
            component = golden_path(bench, server, options.rounds)
            pages(bench, server, component, options.requests)
            process = psutil.Process(server.pid)
            bench.add("memory of the server (resident)", [process.memory_info().rss / 1e6], "MB")
    bench.show()
    results = Path("bench-results")
    results.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    body = {
        "at": now.isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "rows": bench.rows,
    }
    (results / f"{now:%Y%m%d-%H%M%S}.json").write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
