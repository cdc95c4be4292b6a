"""``make bench ARGS="runs"``: how fast runs are executed, and what waiting and following cost; with the targets."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import make_url

from bench.catalog import Results
from flagstone.testing.databases import start_postgres
from flagstone.testing.server import ServerProcess, wait_until

SERVE = ("serve", "--only", "platform")
_ENDED = ("succeeded", "failed", "cancelled", "unknown")
_AT = re.compile(rb'"at":"([^"]+)"')


def main(arguments: list[str]) -> None:
    """The sub-command."""
    parts: dict[str, Callable[[Path, Results, argparse.Namespace], None]] = {
        "sqlite": on_sqlite,
        "postgres": on_postgres,
        "waiting": waiting,
        "followers": followers,
        "plan": plan,
        "crashes": crashes,
    }
    parser = argparse.ArgumentParser(prog='make bench ARGS="runs …"')
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="which figures; all but crashes by default")
    parser.add_argument("--runs", type=int, default=200, help="started at once")
    parser.add_argument("--workers", type=int, default=4, help="on PostgreSQL")
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200, help="of a server while it executes runs")
    options = parser.parse_args(arguments)
    results = Results(0)
    for name in options.parts or [name for name in parts if name != "crashes"]:
        with tempfile.TemporaryDirectory(prefix="flagstone-bench-") as folder:
            print(f"{name}:", flush=True)
            parts[name](Path(folder), results, options)
    results.show()
    _write(results)


def three_steps(number: int) -> dict[str, Any]:
    """A run with a file, a look at it and a line."""
    steps = [
        {"id": "write", "action": "roadiehq:utils:fs:write", "input": {"path": "a.txt", "content": f"run {number}"}},
        {"id": "look", "action": "fs:readdir", "input": {"paths": ["."]}},
        {"id": "tell", "action": "debug:log", "input": {"message": "${{ steps.look.output.files[0].name }}"}},
    ]
    return request("Three steps", steps)


def request(title: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A run request."""
    named = [{"name": step["id"], **step} for step in steps]
    return {"workflow": {"name": "bench", "title": title, "steps": named, **more}}


def _many(server: ServerProcess, bodies: list[dict[str, Any]]) -> list[str]:
    """Start runs from eight clients at once; returns their ids."""

    def start(some: list[dict[str, Any]]) -> list[str]:
        with server.client() as client:
            return [client.post("/api/v1/runs", json=body).raise_for_status().json()["id"] for body in some]

    with ThreadPoolExecutor(8) as pool:
        return [run_id for part in pool.map(start, [bodies[number::8] for number in range(8)]) for run_id in part]


def _throughput(server: ServerProcess, count: int) -> tuple[float, list[dict[str, Any]]]:
    """(step executions a second from the first request to the last end, asking included; the runs)."""
    asked = time.time()
    _many(server, [three_steps(number) for number in range(count)])
    wait_until(lambda: _counts(server, "queued", "running") == 0, 600, "all runs to end", pause=0.3)
    runs: list[dict[str, Any]] = []
    cursor = None
    while len(runs) < count:
        page = server.get("/api/v1/runs", limit=100, **({"cursor": cursor} if cursor else {}))
        runs += page["items"]
        cursor = page["next_cursor"]
    runs = runs[:count]
    ended = max(_moment(run["ended_at"]) for run in runs)
    return sum(run["steps_done"] for run in runs) / (ended - asked), runs


def _counts(server: ServerProcess, *states: str) -> int:
    return len(server.get("/api/v1/runs", state=list(states), limit=1)["items"])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def on_sqlite(folder: Path, results: Results, options: argparse.Namespace) -> None:
    """Latency of one run, and many at once, in the one process there is."""
    with ServerProcess(folder, command=SERVE) as server:
        server.wait_for_run(server.post("/api/v1/runs", three_steps(0))["id"])
        durations = []
        for number in range(20):
            began = time.perf_counter()
            run = server.post("/api/v1/runs", three_steps(number))
            while server.get(f"/api/v1/runs/{run['id']}")["state"] not in _ENDED:
                time.sleep(0.01)
            durations.append(time.perf_counter() - began)
        results.figure("SQLite: run of three steps, request to finished, p50", statistics.median(durations), "s", 1.0)
        rate, runs = _throughput(server, options.runs)
        failed = sum(run["state"] != "succeeded" for run in runs)
        results.figure(f"SQLite: of {options.runs} runs at once, not succeeded", failed, "runs", 0)
        _rate(results, "SQLite: step executions", rate, 20)


def on_postgres(folder: Path, results: Results, options: argparse.Namespace) -> None:
    """Several workers."""
    postgres = start_postgres()
    try:
        url = postgres.create_database()
        environment = {"FLAGSTONE_DATABASE__URL": url, "FLAGSTONE_RUNS__CONCURRENCY": "1"}
        with (
            ServerProcess(folder, command=SERVE, env=environment) as server,
            _workers(server, url, options.workers) as workers,
        ):
            count = options.workers + 1
            wait_until(lambda: len(server.get("/api/v1/workers")["items"]) == count, 60, "the workers")
            _throughput(server, 20)
            before = _cpu(url, [server.pid, *workers])
            rate, runs = _throughput(server, options.runs * 3)
            steps = sum(run["steps_done"] for run in runs)
            cost = (_cpu(url, [server.pid, *workers]) - before) / steps * 1000
            results.figure("PostgreSQL: processor time of a step, asking and database included", cost, "ms")
            failed = sum(run["state"] != "succeeded" for run in runs)
            results.figure("PostgreSQL: runs not succeeded", failed, "runs", 0)
            _rate(results, f"PostgreSQL, {options.workers} workers: step executions", rate, 200)
    finally:
        postgres.stop()


def _cpu(url: str, processes: list[int]) -> float:
    """Seconds of processor time that some processes and the database at a URL have used so far."""
    port = str(make_url(url).port)
    found = [psutil.Process(number) for number in processes]
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and port in (process.info["cmdline"] or ()):
            found += [process, *process.children()]
    return sum(times.user + times.system for process in found if (times := process.cpu_times()))


@contextmanager
def _workers(server: ServerProcess, url: str, count: int) -> Iterator[list[int]]:
    environment = {**os.environ, "FLAGSTONE_DATABASE__URL": url}
    processes = []
    for number in range(count):
        command = [sys.executable, "-m", "flagstone", "worker", "--name", f"bench-{number}", "--data", str(server.data)]
        log = (server.folder / f"worker-{number}.log").open("ab")
        processes.append(subprocess.Popen(command, env=environment, cwd=server.folder, stdout=log, stderr=log))
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def waiting(folder: Path, results: Results, options: argparse.Namespace) -> None:
    """What runs cost that wait for people."""
    ask = request("Ask", [{"id": "ask", "action": "flagstone:ask", "input": {"message": "Go on?"}}])
    with ServerProcess(folder, command=SERVE) as server:

        def settled() -> bool:
            return _counts(server, "queued", "running") == 0

        process = psutil.Process(server.pid)
        _many(server, [ask] * 200)
        wait_until(settled, 120, "runs to wait", pause=0.3)
        before = process.memory_info().rss
        _many(server, [ask] * options.waiting)
        wait_until(settled, 300, "runs to wait", pause=0.3)
        time.sleep(2)
        grown = (process.memory_info().rss - before) / 1e6
        results.figure(f"memory of {options.waiting:,} waiting runs", grown, "MB", 20)


def followers(folder: Path, results: Results, options: argparse.Namespace) -> None:
    """Live followers of one run."""
    steps: list[dict[str, Any]] = [{"id": "begin", "action": "debug:wait", "input": {"seconds": 2.5}}] * 6
    for number in range(25):
        steps.append({"id": f"log{number}", "action": "debug:log", "input": {"message": f"line {number}"}})
        steps.append({"id": f"wait{number}", "action": "debug:wait", "input": {"milliseconds": 500}})
    steps = [{**step, "id": f"s{number}"} for number, step in enumerate(steps)]
    with ServerProcess(folder, command=SERVE) as server:
        run = server.post("/api/v1/runs", request("Followed", steps))
        delays, ended = asyncio.run(_follow(server, run["id"], options.followers))
        results.figure("followers that saw the end", options.followers - ended, "missing", 0)
        ordered = sorted(delays)
        for share in (50, 99):
            value = ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
            results.figure(
                f"{options.followers:,} live followers: written to received, p{share}",
                value,
                "s",
                1.0 if share == 99 else None,
            )


async def _follow(server: ServerProcess, run_id: str, count: int) -> tuple[list[float], int]:
    delays: list[float] = []
    ended = 0
    together = asyncio.Event()
    connected = 0

    async def one() -> None:
        nonlocal ended, connected
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"GET /api/v1/runs/{run_id}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        connected += 1
        if connected == count:
            together.set()
        last = b""
        while piece := await reader.read(1 << 16):
            now = time.time()
            if together.is_set():
                delays.extend(now - _moment(found.decode()) for found in _AT.findall(piece))
            last = (last + piece)[-2000:]
            if piece.endswith(b"0\r\n\r\n"):
                break
        ended += b'"state":"succeeded"' in last
        writer.close()

    await asyncio.gather(*(one() for _ in range(count)))
    return delays, ended


def plan(folder: Path, results: Results, _options: argparse.Namespace) -> None:
    """A preview of a template with many files."""
    skeleton = folder / "template" / "skeleton"
    for number in range(200):
        path = skeleton / f"part{number % 20}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"value_{line} = '${{{{ values.name }}}} {line}'\n" for line in range(40)))
    (folder / "template" / "template.yaml").write_text("kind: Template\n")
    body = request(
        "Many files",
        [
            {
                "id": "fetch",
                "action": "fetch:template",
                "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
            }
        ],
        base=f"file:{folder / 'template' / 'template.yaml'}",
    )
    environment = {"FLAGSTONE_SOURCES__ALLOWED_FOLDERS": json.dumps([str(folder / "template")])}
    with ServerProcess(folder / "server", command=SERVE, env=environment) as server:
        readings = []
        for _ in range(7):
            began = time.perf_counter()
            found = server.post("/api/v1/plans", {**body, "inputs": {"name": "shop"}})
            readings.append(time.perf_counter() - began)
        assert len(found["files"]) == 200, list(found)
        results.figure("plan of a template with 200 files, p50", statistics.median(readings), "s", 1.0)


def crashes(folder: Path, results: Results, options: argparse.Namespace) -> None:
    """``kill -9`` of a server at random moments while it executes runs: all end, and well."""
    server = ServerProcess(folder, command=SERVE, env={"FLAGSTONE_RUNS__WORKER_DEATHS": "1000"})
    started = 0
    for number in range(options.kills):
        server.start()
        started += len(_many(server, [three_steps(started + item) for item in range(8)]))
        time.sleep((number * 37 % 100) / 100)
        server.kill()
    server.start()
    wait_until(lambda: _counts(server, "queued", "running") == 0, 600, "all runs to end", pause=0.3)
    bad = started - sum(1 for _ in _all(server, "succeeded"))
    server.stop()
    results.figure(f"runs not succeeded after {options.kills} kills, of {started:,}", bad, "runs", 0)


def _all(server: ServerProcess, state: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = server.get("/api/v1/runs", state=state, limit=100, **({"cursor": cursor} if cursor else {}))
        yield from page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return


def _rate(results: Results, what: str, rate: float, target: float) -> None:
    """The table says which figures are too large: of a rate it is shown how long one step takes, too."""
    print(f"  {what}: {rate:.1f} /s (target {target})", flush=True)
    results.figure(f"{what}, {rate:.0f} a second: time of each", 1000 / rate, "ms", 1000 / target)


def _write(results: Results) -> None:
    folder = Path("bench-results")
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    machine = f"{platform.machine()}, {psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}"
    body = {"at": now.isoformat(), "machine": machine, "figures": results.figures}
    (folder / f"runs-{now:%Y%m%d-%H%M%S}.json").write_text(json.dumps(body, indent=1) + "\n")
