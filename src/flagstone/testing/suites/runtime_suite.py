"""What every runtime must do. Subclass :class:`RuntimeSuite` and give it a runtime::

    class TestMyRuntime(RuntimeSuite):
        @pytest.fixture
        def make_runtime(self):
            return MyRuntime

The workloads are Python programs without dependencies, started as ``python app.py`` from the files of the release.
"""

from __future__ import annotations

import contextlib
import socket
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flagstone.kernel.ids import new_id
from flagstone.sdk import DeploymentSpec, RolloutFailed, Runtime, RuntimeContext, RuntimeStatus
from flagstone.toolkit.process import LocalProcessHost

WEB = """
    import http.server, os, sys, threading, time, signal
    TEXT = {text!r}
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            if self.path == "/slow":
                time.sleep(1)
            body = (repr(dict(os.environ)) if self.path == "/env" else TEXT).encode()
            self.send_response({status} if self.path == "/healthz" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *a): pass
    print("hello from", TEXT, flush=True)
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128
    Server((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def web(text: str = "one", *, status: int = 200) -> str:
    """A web service that answers with a text, and with a status at ``/healthz``."""
    return textwrap.dedent(WEB).format(text=text, status=status)


def score(
    *, ports: bool = True, probe: bool = True, command: tuple[str, ...] = ("python", "-u", "app.py"), **container: Any
) -> dict[str, Any]:
    """A Score document with one container."""
    main: dict[str, Any] = {"image": ".", "command": list(command), **container}
    if probe:
        main["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}}
    document: dict[str, Any] = {
        "apiVersion": "score.dev/v1b1",
        "metadata": {"name": "shop"},
        "containers": {"main": main},
    }
    if ports:
        document["service"] = {"ports": {"http": {"port": 8080}}}
    return document


class Bench:
    """A runtime that is open, and what one needs to use it."""

    def __init__(self, make: Callable[[], Runtime], folder: Path, options: Mapping[str, Any]) -> None:
        self.folder = folder
        self.changes: list[tuple[str, RuntimeStatus]] = []
        self.progress: list[str] = []
        self._make = make
        self._options = dict(options)
        self._releases = 0
        self.ports = _free_range()
        self.open()

    def open(self) -> None:
        """Start a runtime on the same state, as a server does when it starts."""
        self.processes = LocalProcessHost(self.folder / "processes")
        self.runtime = self._make()
        self.runtime.open(
            RuntimeContext(
                processes=self.processes,
                state_dir=self.folder / "state",
                host="127.0.0.1",
                public_host="127.0.0.1",
                port_range=self.ports,
                changed=lambda deployment, status: self.changes.append((deployment, status)),
                options=self._options,
            )
        )

    def close(self) -> None:
        """Stop it, as a server does when it stops."""
        self.runtime.close()
        self.processes.close()

    def spec(
        self,
        files: Mapping[str, str],
        document: Mapping[str, Any] | None = None,
        *,
        id: str = "d1",  # noqa: A002
    ) -> DeploymentSpec:
        """A release with these files."""
        self._releases += 1
        release = f"r{self._releases}"
        source = self.folder / "sources" / new_id()
        source.mkdir(parents=True)
        for path, text in files.items():
            target = source / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return DeploymentSpec(
            id=id,
            name="shop",
            environment="development",
            entity_ref="component:default/shop",
            release=release,
            release_id=new_id(),
            commit="0123456789abcdef0123456789abcdef01234567",
            workload=document if document is not None else score(),
            source_dir=source,
        )

    def apply(self, spec: DeploymentSpec) -> RuntimeStatus:
        """Deploy and wait."""
        return self.runtime.apply(spec, self.progress.append, lambda: False)

    def get(self, path: str = "", *, id: str = "d1") -> str:  # noqa: A002
        """What the workload answers at its own address."""
        url = self.runtime.status(id).url
        assert url is not None
        with urllib.request.urlopen(url + path, timeout=10) as answer:  # noqa: S310  our own address
            return str(answer.read().decode())

    def until(self, check: Callable[[RuntimeStatus], Any], *, id: str = "d1", seconds: float = 20) -> RuntimeStatus:  # noqa: A002
        """Wait until the status fits."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.runtime.status(id)
            if check(status):
                return status
            time.sleep(0.02)
        raise AssertionError(f"the status stays {status}; the log says: {self.runtime.log(id)}")


class RuntimeSuite:
    """See the module."""

    options: Mapping[str, Any] = {}
    """Options for the runtime; short times make the tests short."""

    @pytest.fixture
    def make_runtime(self) -> Callable[[], Runtime]:
        """The class of the runtime, or a function that makes one."""
        pytest.fail("Give the suite a fixture `make_runtime`.")

    @pytest.fixture
    def bench(self, make_runtime: Callable[[], Runtime], tmp_path: Path) -> Iterator[Bench]:
        """The runtime, open."""
        bench = Bench(make_runtime, tmp_path, self.options)
        yield bench
        with contextlib.suppress(Exception):
            bench.close()

    def test_a_simple_workload_has_no_problems(self, bench: Bench) -> None:
        assert bench.runtime.check(score()) == []

    def test_problems_say_where_and_what_to_do(self, bench: Bench) -> None:
        problems = bench.runtime.check({**score(), "containers": {}})
        assert problems
        assert all(problem.message for problem in problems)

    def test_the_plan_says_what_would_run_and_starts_nothing(self, bench: Bench) -> None:
        facts = bench.runtime.plan(bench.spec({"app.py": web()}))
        assert any("python" in value for value in facts.values())
        assert bench.runtime.status("d1").state == "unknown"

    def test_a_release_comes_up_and_answers_at_its_address(self, bench: Bench) -> None:
        spec = bench.spec({"app.py": web("one")})
        status = bench.apply(spec)
        assert (status.state, status.release_id) == ("healthy", spec.release_id)
        assert status == bench.runtime.status("d1")
        assert bench.get() == "one"
        assert bench.progress
        assert bench.changes[-1] == ("d1", status)

    def test_applying_the_same_release_again_changes_nothing(self, bench: Bench) -> None:
        spec = bench.spec({"app.py": web("one")})
        first = bench.apply(spec)
        assert bench.apply(spec) == first

    def test_a_new_release_takes_over_at_the_same_address(self, bench: Bench) -> None:
        first = bench.apply(bench.spec({"app.py": web("one")}))
        second = bench.apply(bench.spec({"app.py": web("two")}))
        assert second.url == first.url
        assert bench.get() == "two"

    def test_a_release_that_does_not_become_healthy_is_rolled_back_and_says_why(self, bench: Bench) -> None:
        first = bench.apply(bench.spec({"app.py": web("one")}))
        with pytest.raises(RolloutFailed) as caught:
            bench.apply(bench.spec({"app.py": "print('about to fail', flush=True)\nraise SystemExit(3)"}))
        assert "exit code 3" in caught.value.message
        assert "about to fail" in caught.value.last_log
        status = bench.runtime.status("d1")
        assert (status.state, status.release_id) == ("healthy", first.release_id)
        assert bench.get() == "one"

    def test_a_first_release_that_fails_leaves_nothing_running(self, bench: Bench) -> None:
        with pytest.raises(RolloutFailed):
            bench.apply(bench.spec({"app.py": "raise SystemExit(1)"}))
        assert bench.runtime.status("d1").state == "failed"
        assert bench.apply(bench.spec({"app.py": web("mended")})).state == "healthy"

    def test_stopped_and_started_again(self, bench: Bench) -> None:
        spec = bench.spec({"app.py": web("one")})
        bench.apply(spec)
        url = bench.runtime.status("d1").url
        assert bench.runtime.stop("d1").state == "stopped"
        assert url is not None
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            urllib.request.urlopen(url, timeout=5)  # noqa: S310  our own address
        assert bench.apply(spec).state == "healthy"
        assert bench.get() == "one"

    def test_removing_says_what_is_gone_and_may_be_repeated(self, bench: Bench) -> None:
        bench.apply(bench.spec({"app.py": web("one")}))
        assert bench.runtime.remove("d1")
        assert bench.runtime.status("d1").state == "unknown"
        assert bench.runtime.log("d1") == []
        bench.runtime.remove("d1")
        bench.runtime.remove("never-there")

    def test_two_deployments_do_not_disturb_each_other(self, bench: Bench) -> None:
        bench.apply(bench.spec({"app.py": web("one")}, id="d1"))
        bench.apply(bench.spec({"app.py": web("two")}, id="d2"))
        assert (bench.get(id="d1"), bench.get(id="d2")) == ("one", "two")
        bench.runtime.remove("d1")
        assert bench.get(id="d2") == "two"

    def test_the_log_is_read_by_cursor_over_releases(self, bench: Bench) -> None:
        bench.apply(bench.spec({"app.py": web("one")}))
        bench.apply(bench.spec({"app.py": web("two")}))
        lines = bench.runtime.log("d1")
        texts = [line.text for line in lines]
        assert "hello from one" in texts
        assert "hello from two" in texts
        assert {line.stream for line in lines} >= {"out", "runtime"}
        assert [line.seq for line in lines] == sorted({line.seq for line in lines})
        cursor, collected = 0, []
        while part := bench.runtime.log("d1", after=cursor, limit=2):
            assert len(part) <= 2
            collected += part
            cursor = part[-1].seq
        assert collected == lines
        assert bench.runtime.log("d1", limit=1) == lines[-1:]

    def test_what_is_unknown_is_unknown(self, bench: Bench) -> None:
        assert bench.runtime.status("none").state == "unknown"
        assert bench.runtime.stop("none").state == "unknown"
        assert bench.runtime.log("none") == []

    def test_after_a_restart_of_the_server_it_comes_back_at_the_same_address(self, bench: Bench) -> None:
        spec = bench.spec({"app.py": web("one")})
        url = bench.apply(spec).url
        bench.close()
        bench.open()
        bench.runtime.restore(spec)
        assert bench.until(lambda status: status.state == "healthy").url == url
        assert bench.get() == "one"

    def test_a_cancelled_deployment_ends_soon_and_leaves_what_ran(self, bench: Bench) -> None:
        bench.apply(bench.spec({"app.py": web("one")}))
        begin = time.monotonic()
        with pytest.raises(RolloutFailed):
            bench.runtime.apply(bench.spec({"app.py": web("two", status=500)}), bench.progress.append, lambda: True)
        assert time.monotonic() - begin < 10
        assert bench.get() == "one"


def _free_range(size: int = 12) -> tuple[int, int]:
    """Ports that nobody uses at the moment."""
    for first in range(21_000 + int(time.time() * 1000) % 8_000, 32_000, size):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + size):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return first, first + size - 1
    raise RuntimeError("no free ports")
