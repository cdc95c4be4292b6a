"""``make bench ARGS="catalog --all"``: generated catalogs are read and asked; the targets stand beside.

``--all`` is 1,000, 10,000 and 100,000 entities on SQLite and on PostgreSQL; ``--entities 10000,100000`` and
``--database sqlite`` choose some of it.

Cold requests differ from each other (other names, words, refs, filters and pages), so that a cache of answers cannot
help until all of them have been asked; totals of a filter are remembered across its pages. Warm requests are one
question again and again. Verdicts are about cold requests. "processor" is the server's processor time for each of the
cold requests of 16 clients: a busy machine changes that less than it changes the clock.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench import load
from bench.floor import floor
from bench.generate import COMPONENT_TYPES, LIFECYCLES, PARTS, WORDS, Generated, generate
from bench.load import Request
from flagstone.testing.databases import PostgresServer, start_postgres
from flagstone.testing.server import ServerProcess, wait_until

CLIENTS = 16
SIZES = (1_000, 10_000, 100_000)
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
REST = 45
"""Seconds, after which helpers have ended and free memory has gone back to the system."""
COLD = 20_000
HTML = "text/html"


@dataclass
class Results:
    """What was measured, and the targets."""

    entities: int
    database: str = "SQLite"
    figures: list[dict[str, object]] = field(default_factory=list)
    questions: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def figure(self, what: str, value: float, unit: str, target: float | None = None) -> None:
        """One figure; smaller is better."""
        self.figures.append({"what": what, "value": value, "unit": unit, "target": target})
        print(f"  {what}: {value:.3g} {unit}", flush=True)

    def show(self) -> None:
        """Two tables."""
        console = Console(width=190)
        title = f"Catalog of {self.entities:,} entities on {self.database}" if self.entities else "Runs"
        table = Table(title=title, box=None, header_style="bold")
        for heading in ("figure", "measured", "unit", "target", ""):
            table.add_column(heading, justify="right" if heading in ("measured", "target") else "left")
        for row in self.figures:
            value, target = float(str(row["value"])), row["target"]
            ok = "" if target is None else "ok" if value <= float(str(target)) else "MISSED"
            shown = "" if target is None else f"<= {target:g}"
            table.add_row(str(row["what"]), f"{value:.3g}", str(row["unit"]), shown, ok)
        console.print(table)
        if not self.questions:
            return
        table = Table(
            title=f"Questions, in ms; {CLIENTS} clients where /s or @{CLIENTS} is said", box=None, header_style="bold"
        )
        table.add_column("question", min_width=34)
        columns = ("cold p50", "cold p95", "warm p50", "cold /s", "cold p95@16", "processor", "warm /s", "warm p95@16")
        for heading in (*columns, "database p50", "KB", "targets", ""):
            table.add_column(heading, justify="left" if heading in ("targets", "") else "right")
        for row in self.questions:
            table.add_row(
                str(row["what"]),
                *(
                    f"{float(str(row[name])):,.2f}" if "/s" not in name else f"{float(str(row[name])):,.0f}"
                    for name in columns
                ),
                "" if row["database p50"] is None else f"{float(str(row['database p50'])):.2f}",
                f"{float(str(row['KB'])):.1f}",
                str(row["targets"]),
                str(row["verdict"]),
            )
        console.print(table)
        for note in self.notes:
            console.print(note)


@dataclass(frozen=True)
class Question:
    """One question in its cold forms; the first is the warm one. Targets are of 10,000 entities."""

    what: str
    requests: list[Request]
    p50: float | None = None
    rate: float | None = None
    p95: float | None = None
    p95_many: float | None = None
    floor: str | None = None


def main(arguments: list[str]) -> None:
    """The sub-command."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="catalog …"')
    parser.add_argument("--entities", default="10000", help="how many; several with commas")
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or both with a comma")
    parser.add_argument("--all", action="store_true", help=f"{', '.join(map(str, SIZES))} entities on both databases")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load per question and kind")
    parser.add_argument("--ingest-limit", type=float, default=900.0, help="seconds to wait for the catalog to be read")
    options = parser.parse_args(arguments)
    sizes = SIZES if options.all else tuple(int(text) for text in options.entities.split(","))
    databases = DATABASES if options.all else tuple(options.database.split(","))
    unknown = [name for name in databases if name not in DATABASES]
    if unknown:
        parser.error(f"there is no database {unknown[0]}; there are {', '.join(DATABASES)}")
    done = [_one(size, database, options) for database in databases for size in sorted(sizes)]
    _growth(done)


def _one(size: int, database: str, options: argparse.Namespace) -> Results:
    """One catalog on one database."""
    results = Results(size, DATABASES[database])
    postgres = start_postgres() if database == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory(prefix="flagstone-bench-") as name:
            _measure(Path(name), postgres, results, options)
    finally:
        if postgres is not None:
            postgres.stop()
    results.show()
    _write(results, database)
    return results


def _growth(done: list[Results]) -> None:
    """How much more ten times as many entities cost, for each question."""
    table = Table(title="Ten times as many entities: how many times as long", box=None, header_style="bold")
    for heading in ("database", "from", "to", "question", "cold p50", "time at 16 clients", ""):
        table.add_column(heading, justify="left" if heading in ("database", "question", "") else "right")
    for small, large in itertools.pairwise(done):
        if small.database != large.database or large.entities != 10 * small.entities:
            continue
        before = {str(row["what"]): row for row in small.questions}
        for row in large.questions:
            known = before.get(str(row["what"]))
            if known is None:
                continue
            alone = float(str(row["cold p50"])) / max(float(str(known["cold p50"])), 1e-9)
            together = float(str(known["cold /s"])) / max(float(str(row["cold /s"])), 1e-9)
            wanted = "" if row["database p50"] is None else "ok" if max(alone, together) <= 2 else "MISSED <= 2"
            sizes = (f"{small.entities:,}", f"{large.entities:,}")
            table.add_row(small.database, *sizes, str(row["what"]), f"{alone:.1f}", f"{together:.1f}", wanted)
    if table.row_count:
        Console(width=190).print(table)


def _measure(folder: Path, postgres: PostgresServer | None, results: Results, options: argparse.Namespace) -> None:
    print(f"Writing {results.entities:,} entities, to be read into {results.database}", flush=True)
    made = generate(results.entities, folder / "catalog")
    loads = [psutil.getloadavg()[0]]
    starts = [
        _restart(_server(folder / f"empty{number}", postgres.create_database() if postgres else None))
        for number in range(3)
    ]
    results.figure("ready, empty (new data folder), median of 3", sorted(starts)[1], "s", 1.5)
    url = postgres.create_database() if postgres else None
    server = _server(folder / "full", url, "--location", str(made.root))
    try:
        _ingest(server, made, results, options.ingest_limit)
        _synchronise(server, made, results)
        refs = [f"{kind}:default/{name}" for kind, names in made.names.items() for name in names]
        random.Random(1).shuffle(refs)
        database: Path | str = url or server.data / "portal.db"
        best = floor(database, refs, [f"{word}-{part}" for word in WORDS for part in PARTS])
        results.notes += [f"database: {name}: {why}" for name, why in best.items() if isinstance(why, str)]
        for question in _questions(server, made, refs, results):
            _ask(server, question, best, results, options.seconds)
        results.figure("memory of the server after all questions", _memory(server), "MB", 300)
        loads.append(psutil.getloadavg()[0])
        time.sleep(REST)
        results.figure(f"memory of the server after a rest of {REST} s", _memory(server), "MB", 300)
        server.stop()
        results.figure("ready, full, median of 3", sorted(_restart(server) for _ in range(3))[1], "s", 3)
        told = f"{loads[0]:.1f} before, {loads[-1]:.1f} after the questions (which are a load of about 2 by themselves)"
        results.notes.append(f"Load of the machine: {told}; figures of a busy machine say little.")
    finally:
        server.stop()


def _server(folder: Path, url: str | None, *arguments: str) -> ServerProcess:
    environment = {"FLAGSTONE_DATABASE__URL": url} if url else {}
    return ServerProcess(folder, *arguments, env=environment, command=("up", "--no-example"))


def _restart(server: ServerProcess) -> float:
    """Seconds until a stopped server is ready; stops it again."""
    began = time.perf_counter()
    server.start()
    took = time.perf_counter() - began
    server.stop()
    return took


def _processor(server: ServerProcess) -> float:
    """Seconds of processor time so far: what a busy machine changes least."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def _memory(server: ServerProcess) -> float:
    process = psutil.Process(server.pid)
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def _ingest(server: ServerProcess, made: Generated, results: Results, limit: float) -> None:
    began = time.perf_counter()
    # Not until it says that it is ready: that may wait for the first reading, and lists are answered before.
    server.start(wait=False)
    wait_until(lambda: _answers(server), limit, "the server to answer", pause=0.02)
    results.figure("first start to the first list answered", time.perf_counter() - began, "s")
    peak = 0.0
    with _others(server, results, "while reading everything"), server.client() as client:

        def all_there() -> bool:
            nonlocal peak
            peak = max(peak, _memory(server))
            return _count(client) >= made.entities

        wait_until(all_there, limit, f"{made.entities} entities", pause=0.25)
        listed = time.perf_counter() - began
        # A few of them, forward and reverse, so that asking takes no time of its own.
        for source, type_, target in made.relations[:: max(1, len(made.relations) // 24) | 1]:
            wait_until(
                lambda s=source, t=type_, r=target: _related(client, s, t, r), limit, f"{source} {type_} {target}"
            )
        took = time.perf_counter() - began
        server.wait_ready(limit)
    results.figure("first start to all entities listed", listed, "s")
    size = results.entities
    results.figure("first start to all relations present", took, "s", 10 if size <= 10_000 else 120 * size / 100_000)
    results.figure("memory of the server and its helpers, peak while reading", max(peak, _memory(server)), "MB")
    results.figure("memory of the server and its helpers after reading", _memory(server), "MB", 300)


def _answers(server: ServerProcess) -> bool:
    try:
        with server.client() as client:
            return client.get("/api/v1/entities", params={"limit": 1}).status_code == 200
    except httpx.TransportError:
        return False


def _count(client: httpx.Client) -> int:
    kinds = ["component", "api", "resource", "system", "domain", "group", "user"]
    answer = client.get("/api/v1/entities", params={"kind": kinds, "limit": 1, "count": "true"})
    return int(answer.raise_for_status().json()["total"])


def _related(client: httpx.Client, source: str, type_: str, target: str) -> bool:
    answer = client.get(f"/api/v1/entities/{source.replace(':', '/', 1)}")
    return answer.status_code == 200 and {"type": type_, "targetRef": target} in answer.json()["relations"]


@contextmanager
def _others(server: ServerProcess, results: Results, when: str) -> Iterator[None]:
    """Somebody else looks at lists meanwhile."""
    requests = [Request("/api/v1/entities?kind=component&limit=20"), Request("/api/v1/entities?kind=api&limit=20")]
    running = load.start(server.port, server.token, requests, pause=0.05, seconds=3600)
    try:
        yield
    finally:
        measured = running.stop()
    results.figure(f"other requests {when}, p95", measured.p95, "ms", 100)
    results.figure(f"other requests {when}, worst", measured.worst, "ms")
    if measured.errors:
        results.notes.append(f"{measured.errors} of {measured.requests} other requests failed {when}")


def _synchronise(server: ServerProcess, made: Generated, results: Results) -> None:
    with server.client() as client:
        client.timeout = httpx.Timeout(900)
        root = next(
            item["id"]
            for item in client.get("/api/v1/locations", params={"origin": "settings"}).json()["items"]
            if item["target"] == str(made.root)
        )
        with _others(server, results, "while nothing has changed"):
            began = time.perf_counter()
            client.post(f"/api/v1/locations/{root}/refresh").raise_for_status()
            took = time.perf_counter() - began
        results.figure("reading again, nothing changed", took, "s", 10)
        times = [_change(client, ref, path, number) for number, (ref, path) in enumerate(list(made.files.items())[:10])]
        results.figure("one changed file visible after refresh, median of 10", sorted(times)[len(times) // 2], "s", 1)
        results.figure("one changed file visible after refresh, worst of 10", max(times), "s", 1)


def _change(client: httpx.Client, ref: str, path: Path, number: int) -> float:
    word = f"Changed-{number}"
    path.write_text(path.read_text().replace("  description: ", f"  description: {word} ", 1))
    where = f"/api/v1/entities/{ref.replace(':', '/', 1)}"
    began = time.perf_counter()
    client.post(f"{where}/refresh").raise_for_status()
    wait_until(lambda: word in client.get(where).text, 60, f"{ref} to be changed", pause=0.01)
    return time.perf_counter() - began


def _cased(text: str, number: int) -> str:
    """The same words in another letter case, a different one for each number."""
    letters = []
    for letter in text:
        if letter.isalpha():
            letters.append(letter.upper() if number & 1 else letter)
            number >>= 1
        else:
            letters.append(letter)
    return "".join(letters)


def _questions(server: ServerProcess, made: Generated, refs: list[str], results: Results) -> list[Question]:
    components = made.names["component"]
    named = [_cased(components[n % len(components)], n // len(components)) for n in range(COLD)]
    pages = [Request(f"/catalog/component/default/{name}", accept=HTML) for name in components[:COLD]]
    lists = [
        Request(f"/catalog?{urlencode({'kind': 'component', 'type': type_, 'q': word})}", accept=HTML)
        for type_ in dict.fromkeys(COMPONENT_TYPES)
        for word in WORDS
    ]
    groups = [Request(f"/catalog/group/default/{name}", accept=HTML) for name in made.names["group"]]
    owners = [Request(f"/catalog?owner=group:default/{name}", accept=HTML) for name in made.names["group"]]
    own = [
        Request(
            f"/api/v1/entities?{urlencode({'kind': 'component', 'type': type_, 'lifecycle': name, 'limit': limit})}"
        )
        for type_ in dict.fromkeys(COMPONENT_TYPES)
        for name in dict.fromkeys(LIFECYCLES)
        for limit in range(16, 25)
    ]
    found = [
        Question("page: entity", pages, p95=40, p95_many=200),
        Question("page: list with a word", lists, p95=50),
        Question("page: list of an owner", owners, p95=50),
        Question("page: group", groups, p95=50),
        Question("page: home", [Request("/", accept=HTML)], p95=50),
        Question("page: problems", [Request("/catalog/problems", accept=HTML)], p95=50),
        Question("own API: page of a kind and type", own, p95=50),
        Question("own API: one entity", [Request(f"/api/v1/entities/component/default/{name}") for name in named]),
    ]
    with server.client() as client:
        if client.get("/api/catalog/entities", params={"limit": 1}).status_code == 404:
            results.notes.append("The Backstage API is not there, so it was not asked.")
            return found
    return [*_backstage(made, refs, named), *found]


def _terms(names: list[str], pick: random.Random) -> list[str]:
    """Parts of names: two words in most, one word in some, or any letters."""
    found = [f"{word}-{part}" for word in WORDS for part in PARTS] + list(WORDS)
    for name in names[:4000]:
        start = pick.randrange(max(1, len(name) - 8))
        found.append(name[start : start + pick.randint(4, 12)].lower())
    pick.shuffle(found)
    return list(dict.fromkeys(found))


def _backstage(made: Generated, refs: list[str], named: list[str]) -> list[Question]:
    base, pick = "/api/catalog", random.Random(2)
    order = "orderField=metadata.name%2Casc"
    kinds = [f"kind=component,spec.type={type_}" for type_ in dict.fromkeys(COMPONENT_TYPES)]
    narrowed = [*kinds, *(f"{text},spec.lifecycle={name}" for text in kinds for name in dict.fromkeys(LIFECYCLES))]
    by_query = [
        Request(f"{base}/entities/by-query?limit={limit}&offset={20 * page}&{order}&filter={quote(text)}")
        for limit in (20, 21, 19, 22, 18)
        for page in range(40)
        for text in narrowed
    ]
    fields = "metadata.name%2Cmetadata.title%2Cspec.profile.displayName"
    text = [
        Request(
            f"{base}/entities/by-query?limit=20&{order}&filter=kind%3Dcomponent&fullTextFilterFields={fields}"
            f"&fullTextFilterTerm={quote(term)}"
        )
        for term in _terms(named, pick)
    ]
    about = [*narrowed]
    about += [f"kind=component,spec.owner=group:default/{name}" for name in made.names["group"]]
    about += [f"kind=component,spec.system={name}" for name in made.names["system"]]
    pick.shuffle(about)
    facets = [Request(f"{base}/entity-facets?facet=metadata.tags&filter={quote(asked)}") for asked in about]
    by_refs = [
        Request(f"{base}/entities/by-refs", {"entityRefs": pick.sample(refs, min(100, len(refs)))}) for _ in range(4000)
    ]
    by_name = [Request(f"{base}/entities/by-name/component/default/{name}") for name in named]
    return [
        Question("by-query page of a kind and type", by_query, 2, 1000, 50, floor="by-query"),
        Question("full-text page", text, 2, 1000, 50, floor="full text"),
        Question("tag facets", facets, 3, 600, 50, floor="facets"),
        Question("by-refs of 100", by_refs, 2, 1270, 50, floor="by-refs"),
        Question("by-name", by_name, 0.5, 3900, 50, floor="by-name"),
    ]


def _ask(
    server: ServerProcess,
    question: Question,
    best: dict[str, list[float] | str],
    results: Results,
    seconds: float,
) -> None:
    first, port, token = question.requests[:1], server.port, server.token
    load.run(port, token, first, limit=5)
    cold = load.run(port, token, question.requests, limit=500, seconds=seconds)
    warm = load.run(port, token, first, limit=500, seconds=seconds)
    worked = _processor(server)
    many_cold = load.run(port, token, question.requests, clients=CLIENTS, seconds=seconds)
    worked = (_processor(server) - worked) * 1000 / max(1, many_cold.requests)
    many_warm = load.run(port, token, first, clients=CLIENTS, seconds=seconds)
    known = best.get(question.floor or "")
    factor = 1 if results.entities <= 10_000 else 2
    p50 = None if question.p50 is None else question.p50 * factor
    rate = None if question.rate is None else question.rate / factor
    checks = [
        (f"p50 <= {p50:g}" if p50 else "", p50 is None or cold.p50 <= p50),
        (f"p95 <= {question.p95:g}" if question.p95 else "", question.p95 is None or cold.p95 <= question.p95),
        (f">= {rate:,g}/s" if rate else "", rate is None or many_cold.rate >= rate),
        (
            f"p95@{CLIENTS} <= {question.p95_many:g}" if question.p95_many else "",
            question.p95_many is None or many_cold.p95 <= question.p95_many,
        ),
    ]
    missed = [text for text, ok in checks if not ok]
    row: dict[str, object] = {
        "what": question.what,
        "cold p50": cold.p50,
        "cold p95": cold.p95,
        "warm p50": warm.p50,
        "cold /s": many_cold.rate,
        "cold p95@16": many_cold.p95,
        "processor": worked,
        "warm /s": many_warm.rate,
        "warm p95@16": many_warm.p95,
        "database p50": sorted(known)[len(known) // 2] if isinstance(known, list) else None,
        "KB": cold.bytes / 1000,
        "targets": ", ".join(text for text, _ in checks if text),
        "verdict": f"MISSED {', '.join(missed)}" if missed else "ok",
    }
    results.questions.append(row)
    print(
        f"  {question.what}: {cold.p50:.2f} ms, {many_cold.rate:,.0f}/s cold, {many_warm.rate:,.0f}/s warm", flush=True
    )
    errors = sum(one.errors for one in (cold, warm, many_cold, many_warm))
    if errors:
        results.notes.append(f"{question.what}: {errors} answers were not 200")


def _write(results: Results, database: str) -> None:
    folder = Path("bench-results")
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    body = {
        "at": now.isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores",
        "database": database,
        "entities": results.entities,
        "figures": results.figures,
        "questions": results.questions,
        "notes": results.notes,
    }
    path = folder / f"catalog-{results.entities}-{database}-{now:%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(body, indent=1) + "\n")
    print(f"Written to {path}")
