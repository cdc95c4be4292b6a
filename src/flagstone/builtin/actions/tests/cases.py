"""One case of the conformance suite for each action of this package."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from flagstone.builtin.actions import plugin
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.testing.actions import ActionBench
from flagstone.testing.suites.action_cases import ActionCase

INFO = """
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: shop-api}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: Shop, namespace: stores}
spec: {type: service, owner: group:default/payments}
"""
ENTITY = {
    "kind": "Component",
    "metadata": {
        "name": "shop",
        "annotations": {"backstage.io/managed-by-origin-location": "hosted:acme/shop/catalog-info.yaml"},
    },
}


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        status = int(self.path.partition("status=")[2][:3] or 200)
        self.send_response(status)
        self.send_header("content-type", "application/json" if b"\x00" not in body else "application/octet-stream")
        self.send_header("set-cookie", "session=1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b'{"path": "' + self.path.partition("?")[0].encode() + b'"}')

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815  the library's names

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Echo(HTTPServer):
    """A server on a free port, in a thread that ends with the process."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()

    @property
    def host(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.server_port}"


ECHO = Echo()


def settings(**more):
    """All allowed, one proxy to the echo server."""
    return ActionsSettings(
        **{
            "allowed_hosts": (ECHO.host,),
            "http_base_url": f"http://{ECHO.host}/backstage",
            "http_proxies": {"/echo": f"http://{ECHO.host}/behind"},
            "commands": ("*",),
            "command_isolation": "best",
            **more,
        }
    )


def made(bench: ActionBench, action_id: str, **more):
    """An action of this package, as the plugin makes it."""
    return next(item for item in plugin.actions(bench.tools, settings(**more)) if item.id == action_id)


def _skeleton(bench):
    bench.template_file("skeleton/${{ values.name }}.txt", "Hello ${{ values.name }}")
    bench.template_file("skeleton/bin/run.sh", "#!/bin/sh\n", executable=True)
    bench.template_file("skeleton/logo.png", b"\x89PNG\x00\xff")


def _cookiecutter(bench):
    bench.template_file(
        "cut/cookiecutter.json", '{"name": "x", "slug": "{{ cookiecutter.name | lower }}", "db": ["pg", "my"]}'
    )
    bench.template_file("cut/{{cookiecutter.slug}}/a.txt", "{{ cookiecutter.name }} {{ cookiecutter.db }}")
    bench.template_file("cut/hooks/post_gen_project.py", "{{ broken")


def _workspace(bench):
    for path in ("a.txt", "docs/b.txt", "docs/deep/c.txt"):
        bench.workspace.write(path, path)
    bench.workspace.write("data.json", '{"name": "shop", "tags": ["a"]}')
    bench.workspace.write("data.yaml", "name: shop\ntags: [a]\n")


def _repository(bench):
    bench.repository("acme/shop", {"catalog-info.yaml": INFO})


def _entities(bench):
    bench.entities["component:default/shop"] = ENTITY


def _case(action_id, inputs, prepare=lambda bench: None, **more):
    return ActionCase(lambda bench: made(bench, action_id), inputs, prepare, **more)


def _answered(bench):
    bench.answer = {"values": {"size": 3}, "by_name": ""}


_INPUTS = {
    "fetch:plain": ({"url": "./skeleton", "targetPath": "./out"}, _skeleton, {"url": 3}, "url"),
    "fetch:plain:file": (
        {"url": "./skeleton/logo.png", "targetPath": "img/logo.png"},
        _skeleton,
        {"targetPath": ""},
        "targetPath",
    ),
    "fetch:template": ({"url": "./skeleton", "values": {"name": "bob"}}, _skeleton, {"values": []}, "values"),
    "fetch:template:file": (
        {"url": "./skeleton/${{ values.name }}.txt", "targetPath": "bob.txt", "values": {"name": "bob"}},
        _skeleton,
        {"replace": "x"},
        "replace",
    ),
    "fetch:cookiecutter": ({"url": "./cut", "values": {"name": "Shop"}}, _cookiecutter, {"values": {"db": "no"}}, "db"),
    "fs:delete": ({"files": ["docs/**", "nope.txt"]}, _workspace, {"files": "a"}, "files"),
    "fs:rename": ({"files": [{"from": "docs", "to": "manual"}]}, _workspace, {"files": [{"from": ""}]}, "from"),
    "fs:readdir": ({"paths": ["docs", "."], "recursive": True}, _workspace, {"paths": None}, "paths"),
    "debug:log": (
        {"message": "hello", "listWorkspace": "with-contents"},
        _workspace,
        {"listWorkspace": "all"},
        "listWorkspace",
    ),
    "debug:wait": ({"milliseconds": 10}, _workspace, {"seconds": -1}, "seconds"),
    "flagstone:ask": (
        {"message": "How large?", "schema": {"type": "object", "properties": {"size": {"default": 3}}}},
        _answered,
        {"of": ["role:king"]},
        "of",
    ),
    "roadiehq:utils:sleep": ({"amount": 0.01}, _workspace, {"amount": -1}, "amount"),
    "catalog:write": (
        {"entity": {"kind": "Component", "metadata": {"name": "x"}}},
        _workspace,
        {"entity": 1},
        "entity",
    ),
    "catalog:register": ({"repoContentsUrl": "hosted:acme/shop/"}, _repository, {"optional": "what"}, "optional"),
    "catalog:unregister": (
        {"type": "hosted", "target": "acme/shop/catalog-info.yaml"},
        _repository,
        {"type": ""},
        "type",
    ),
    "catalog:fetch": ({"entityRef": "shop", "defaultKind": "component"}, _entities, {"entityRef": 1}, "entityRef"),
    "catalog:delete-entity": ({"entityRef": "component:shop"}, _entities, {"entityRef": None}, "entityRef"),
    "roadiehq:utils:fs:write": ({"path": "new.txt", "content": "x"}, _workspace, {"path": ""}, "path"),
    "roadiehq:utils:fs:append": ({"path": "a.txt", "content": "more"}, _workspace, {"content": 3}, "content"),
    "roadiehq:utils:fs:parse": ({"path": "data.yaml", "parser": "yaml"}, _workspace, {"parser": "xml"}, "parser"),
    "roadiehq:utils:fs:replace": (
        {"files": [{"file": "*.txt", "find": "(a)", "matchRegex": True, "replaceWith": "$1$1"}]},
        _workspace,
        {"files": [{"file": "a.txt", "find": "(?=a)", "matchRegex": True, "replaceWith": ""}]},
        "files.0.find",
    ),
    "roadiehq:utils:zip": ({"path": "docs", "outputPath": "docs.zip"}, _workspace, {"outputPath": ""}, "outputPath"),
    "roadiehq:utils:serialize:json": ({"data": {"a": [1]}}, _workspace, {"replacer": "a"}, "replacer"),
    "roadiehq:utils:serialize:yaml": ({"data": {"a": [1]}}, _workspace, {"options": 1}, "options"),
    "roadiehq:utils:json:merge": (
        {"path": "data.json", "content": {"tags": ["b"]}, "mergeArrays": True},
        _workspace,
        {"content": 1},
        "content",
    ),
    "roadiehq:utils:merge": (
        {"path": "data.yaml", "content": {"tags": ["b"]}, "mergeArrays": True},
        _workspace,
        {"path": 1},
        "path",
    ),
    "roadiehq:utils:yaml:merge": ({"path": "data.yaml", "content": "owner: ann"}, _workspace, {"path": 1}, "path"),
    "roadiehq:utils:jsonata": (
        {"data": {"a": [1, 2]}, "expression": "$sum(a)"},
        _workspace,
        {"expression": ""},
        "expression",
    ),
    "roadiehq:utils:jsonata:json:transform": (
        {"path": "data.json", "expression": "name"},
        _workspace,
        {"as": "x"},
        "as",
    ),
    "roadiehq:utils:jsonata:yaml:transform": (
        {"path": "data.yaml", "expression": "tags", "as": "object"},
        _workspace,
        {"as": "x"},
        "as",
    ),
    "http:request": (
        {"method": "POST", "url": f"http://{ECHO.host}/x", "body": {"a": 1}},
        _workspace,
        {"method": "TRACE"},
        "method",
    ),
    "http:backstage:request": (
        {"path": "/proxy/echo/items", "params": {"q": "a b"}},
        _workspace,
        {"timeout": 0},
        "timeout",
    ),
    "flagstone:command": (
        {"command": ["sh", "-c", 'test -n "$TOKEN" && echo done > made.txt'], "secretEnv": {"TOKEN": "token"}},
        _workspace,
        {"command": ["/bin/sh"]},
        "command",
    ),
}
CASES = {
    key: _case(
        key,
        inputs,
        prepare,
        wrong=wrong,
        wrong_field=name,
        secrets={"token": "CANARY-of-the-command"} if key == "flagstone:command" else {},
    )
    for key, (inputs, prepare, wrong, name) in _INPUTS.items()
}
