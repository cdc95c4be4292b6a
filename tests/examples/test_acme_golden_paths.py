"""The golden paths of the example organisation: well-formed templates whose skeletons give software that really runs."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import jsonschema
import pytest
import yaml

Render = Callable[[Path, Path, dict[str, Any]], None]

NASTY = "Gift \"wrapping\" & 'bows': 100 % <b>fun</b> # \\ $5"
VALUES: dict[str, dict[str, Any]] = {
    "python-web-service": {
        "name": "true", "description": NASTY, "owner": "group:default/checkout", "system": "checkout",
        "tier": "tier-2", "greeting": NASTY, "repository": "acme/true",
    },
    "static-docs-site": {
        "name": "garden-guide", "title": NASTY, "titleHtml": "Garden &amp; guide", "description": NASTY,
        "descriptionHtml": "All about &lt;b>", "owner": "group:default/storefront", "system": "storefront",
        "pages": ["guides", "decisions"],
    },
    "scheduled-job": {
        "name": "null", "description": NASTY, "owner": "group:default/checkout", "system": "checkout",
        "schedule": "*/15 * * * *",
    },
}  # fmt: skip
PATHS = sorted(VALUES)
LABEL = r"^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$"
SCORE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "metadata", "containers"],
    "properties": {
        "apiVersion": {"const": "score.dev/v1b1"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": LABEL},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "service": {"type": "object", "required": ["ports"]},
        "containers": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": LABEL},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "minLength": 1},
                    "command": {"type": "array", "items": {"type": "string"}},
                    "variables": {"type": "object", "additionalProperties": {"type": "string"}},
                    "readinessProbe": {"type": "object", "required": ["httpGet"]},
                    "resources": {"type": "object"},
                },
            },
        },
    },
}


def template_of(acme: Path, name: str) -> dict[str, Any]:
    """The template entity of a golden path."""
    loaded: dict[str, Any] = yaml.safe_load((acme / "templates" / name / "template.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def rendered(acme: Path, render: Render, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every golden path rendered with values that try to break out of where they are put."""
    folders = {}
    for name, values in VALUES.items():
        folders[name] = tmp_path_factory.mktemp(name)
        render(acme / "templates" / name / "skeleton", folders[name], values)
    for page in ("guides", "decisions"):
        target = folders["static-docs-site"] / "site" / page
        render(acme / "templates/static-docs-site/page", target, {"page": page, "titleHtml": "Garden &amp; guide"})
    return folders


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    """The body of an answer."""
    with urlopen(url, timeout=5) as response:
        return str(response.read().decode())


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The rendered workload started with the command of its Score file, and its address once it is healthy."""
    command = yaml.safe_load((folder / "score.yaml").read_text())["containers"]["main"]["command"]
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "FLAGSTONE_COMMIT": "0123456789abcdef"}
    argv = [sys.executable, *command[1:]]
    process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                assert json.loads(get(url + "/healthz")) == {"status": "ok"}
                break
            except (URLError, ConnectionError):
                assert process.poll() is None, "it ended before it was healthy"
                assert time.monotonic() < deadline, "it did not become healthy"
                time.sleep(0.05)
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("name", PATHS)
def test_every_form_page_is_a_json_schema_and_its_defaults_are_valid(acme: Path, name: str) -> None:
    for page in template_of(acme, name)["spec"]["parameters"]:
        jsonschema.Draft7Validator.check_schema(page)
        assert set(page["required"]) <= set(page["properties"])
        for field, schema in page["properties"].items():
            assert schema["title"], field
            if "default" in schema:
                jsonschema.Draft7Validator(schema).validate(schema["default"])
            if "enumNames" in schema:
                assert len(schema["enumNames"]) == len(schema["enum"])
            for choice in schema.get("enum", []):
                jsonschema.Draft7Validator(schema).validate(choice)


@pytest.mark.parametrize("name", PATHS)
def test_expressions_use_only_parameters_that_exist_and_steps_that_came_before(acme: Path, name: str) -> None:
    spec = template_of(acme, name)["spec"]
    known = {field for page in spec["parameters"] for field in page["properties"]}
    assert set(re.findall(r"parameters\.(\w+)", json.dumps([spec["steps"], spec["output"]]))) <= known
    before: set[str] = set()
    for step in [*spec["steps"], {"id": "output", "input": spec["output"]}]:
        assert set(re.findall(r"steps\.(\w+)\.output", json.dumps(step))) <= before
        before.add(step["id"])


@pytest.mark.parametrize("name", PATHS)
def test_the_values_that_a_skeleton_uses_are_given_by_its_template(acme: Path, name: str) -> None:
    folder = acme / "templates" / name
    for step in template_of(acme, name)["spec"]["steps"]:
        if step["action"] != "fetch:template":
            continue
        source = folder / step["input"]["url"]
        text = "\n".join(path.read_text() for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
        expressions = " ".join(re.findall(r"\$\{\{.*?\}\}|\{%.*?%\}", text))
        assert set(re.findall(r"values\.(\w+)", expressions)) == set(step["input"]["values"])


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "value", ["a", "Gift", "-gift", "gift-", "gift--wrap", "gift_wrap", "gift wrap", "9lives", "x" * 41, "a/../b"]
)
def test_a_name_that_would_not_work_everywhere_is_refused_by_the_form(acme: Path, name: str, value: str) -> None:
    schema = template_of(acme, name)["spec"]["parameters"][0]["properties"]["name"]
    assert not jsonschema.Draft7Validator(schema).is_valid(value)
    assert jsonschema.Draft7Validator(schema).is_valid("gift-wrapping2")


@pytest.mark.parametrize("name", PATHS)
def test_the_rendered_score_file_is_valid_and_its_command_exists(rendered: dict[str, Path], name: str) -> None:
    score = yaml.safe_load((rendered[name] / "score.yaml").read_text())
    jsonschema.validate(score, SCORE)
    assert (rendered[name] / score["containers"]["main"]["command"][-1]).is_file()


@pytest.mark.parametrize("name", PATHS)
def test_the_rendered_catalog_file_keeps_what_was_typed(rendered: dict[str, Path], name: str) -> None:
    component, *apis = list(yaml.safe_load_all((rendered[name] / "catalog-info.yaml").read_text()))
    assert component["metadata"]["name"] == VALUES[name]["name"]
    assert component["metadata"]["description"] == NASTY
    assert component["spec"]["system"] == VALUES[name]["system"]
    assert [api["metadata"]["name"] for api in apis] == component["spec"].get("providesApis", [])
    for api in apis:
        definition = rendered[name] / api["spec"]["definition"]["$text"]
        assert yaml.safe_load(definition.read_text())["info"]["title"] == VALUES[name]["name"]


@pytest.mark.parametrize("name", PATHS)
def test_a_service_without_a_system_is_rendered_without_that_line(
    acme: Path, render: Render, tmp_path: Path, name: str
) -> None:
    values = {key: value for key, value in VALUES[name].items() if key != "system"}
    render(acme / "templates" / name / "skeleton", tmp_path, values)
    for entity in yaml.safe_load_all((tmp_path / "catalog-info.yaml").read_text()):
        assert "system" not in entity["spec"]


@pytest.mark.parametrize("name", PATHS)
def test_no_expression_is_left_and_all_python_compiles(rendered: dict[str, Path], name: str) -> None:
    for path in rendered[name].rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert not re.search(r"\$\{\{|\{%", path.read_text()), path
        if path.suffix == ".py":
            ast.parse(path.read_text(), str(path))


@pytest.mark.parametrize("name", PATHS)
def test_the_rendered_tests_pass(rendered: dict[str, Path], name: str) -> None:
    argv = [sys.executable, "-m", "unittest"]
    result = subprocess.run(argv, cwd=rendered[name], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stderr


def test_the_web_service_shows_its_greeting_escaped_and_its_version(rendered: dict[str, Path]) -> None:
    with running(rendered["python-web-service"]) as (_, url):
        page = get(url + "/")
        assert "100 % &lt;b&gt;fun&lt;/b&gt;" in page
        assert "<b>" not in page
        assert json.loads(get(url + "/api/hello?name=Ada")) == {"greeting": NASTY, "name": "Ada"}
        assert json.loads(get(url + "/version")) == {"name": "true", "commit": "0123456789abcdef"}


def test_the_web_service_logs_one_json_line_per_request_without_the_query(rendered: dict[str, Path]) -> None:
    with running(rendered["python-web-service"]) as (process, url):
        get(url + "/api/hello?name=secret")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
        lines = [json.loads(line) for line in output.splitlines()]
        (hello,) = [line for line in lines if line.get("path") == "/api/hello"]
        assert hello["status"] == 200
        assert hello["method"] == "GET"
        assert hello["duration_ms"] >= 0
        assert "secret" not in output


@pytest.mark.parametrize("name", ["python-web-service", "static-docs-site"])
def test_a_stop_under_load_fails_no_request_that_had_connected(rendered: dict[str, Path], name: str) -> None:
    with running(rendered[name]) as (process, url):
        port = int(url.rpartition(":")[2])
        clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(20)]
        process.send_signal(signal.SIGTERM)
        answers: list[bytes] = []

        def ask(client: socket.socket) -> None:
            with client:
                client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                answers.append(client.makefile("rb").readline())

        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)
        assert process.wait(timeout=10) == 0
        assert len(answers) == 20
        assert all(b" 200 " in answer for answer in answers)


def test_a_client_that_says_nothing_does_not_hold_up_other_requests(rendered: dict[str, Path]) -> None:
    with running(rendered["python-web-service"]) as (_, url):
        silent = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5)
        started = time.monotonic()
        get(url + "/healthz")
        silent.close()
        assert time.monotonic() - started < 2


def test_the_documentation_site_serves_its_pages_and_nothing_else(rendered: dict[str, Path]) -> None:
    folder = rendered["static-docs-site"]
    (folder / "site" / "leak").symlink_to(folder / "score.yaml")
    with running(folder) as (_, url):
        front = get(url + "/")
        for part in ("Garden &amp; guide", 'href="guides/"', 'href="decisions/"'):
            assert part in front
        assert "Write one page per goal" in get(url + "/guides/")
        assert "main {" in get(url + "/style.css")
        for path in ("/../serve.py", "/%2e%2e/serve.py", "/leak", "/nope"):
            with pytest.raises(URLError, match="404"):
                get(url + path)


def test_the_job_prints_its_report_and_ends_well(rendered: dict[str, Path]) -> None:
    argv = [sys.executable, "-u", "job.py"]
    result = subprocess.run(
        argv, cwd=rendered["scheduled-job"], capture_output=True, text=True, timeout=30, check=False
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert lines[-1]["event"] == "finished"
    assert lines[-1]["checked"] == 3


def test_a_job_that_cannot_work_says_why_and_fails(rendered: dict[str, Path]) -> None:
    argv = [sys.executable, "-u", "job.py"]
    environment = {**os.environ, "LIMIT_DAYS": "soon"}
    result = subprocess.run(
        argv, cwd=rendered["scheduled-job"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 1
    assert "soon" in json.loads(result.stdout.splitlines()[-1])["error"]
