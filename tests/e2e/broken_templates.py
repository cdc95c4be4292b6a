"""Golden paths for the tests of failures: one that makes any service, and one for each way to be broken."""

from __future__ import annotations

from pathlib import Path

SERVICE_SCORE = """apiVersion: score.dev/v1b1
metadata:
  name: {name}
containers:
  main:
    image: "."
    command: {command}
    readinessProbe:
      httpGet:
        path: {path}
        port: 8080
service:
  ports:
    http:
      port: 8080
"""
SERVICE_APP = """import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/" else 503)
        self.end_headers()
        self.wfile.write(b"still here")

print("listening", flush=True)
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Page).serve_forever()
"""

_HEAD = """apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata:
  name: {name}
spec:
  type: service
  owner: group:default/platform
"""

_SERVICE = """  parameters:
    - required: [name]
      properties:
        name: {type: string}
        app: {type: string}
        score: {type: string}
  steps:
    - id: fetch
      name: Render
      action: fetch:template
      input:
        url: ./skeleton
        values: {name: "${{ parameters.name }}", app: "${{ parameters.app }}", score: "${{ parameters.score }}"}
    - id: publish
      name: Publish
      action: publish:git
      input: {repoUrl: "flagstone?owner=acme&repo=${{ parameters.name }}"}
    - id: register
      name: Register
      action: catalog:register
      input: {repoContentsUrl: "${{ steps.publish.output.repoContentsUrl }}"}
    - id: deploy
      name: Deploy
      action: flagstone:deploy
      input:
        repository: ${{ steps.publish.output.repository }}
        commit: ${{ steps.publish.output.commitHash }}
        environment: development
        entityRef: ${{ steps.register.output.entityRef }}
"""

_ENTITY = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${{ values.name }}
spec:
  type: service
  lifecycle: experimental
  owner: group:default/platform
"""

GOOD_ENTITY = _ENTITY.replace("${{ values.name }}", "{name}")

_ONE_STEP = """  steps:
    - id: fetch
      name: Render the files
      action: {action}
      input:
        url: ./skeleton
{more}
"""

LOOP = "{% for a in range(100000) %}{% for b in range(100000) %}{{ a * b }}{% endfor %}{% endfor %}\n"
FLOOD = "{% for a in range(99999) %}" + "x" * 100_000 + "{% endfor %}\n"

STEPS = {
    "loops": ("fetch:template", "", {"endless.txt": LOOP}),
    "floods": ("fetch:template", "", {"large.txt": FLOOD}),
    "climbs": ("fetch:template", "        targetPath: ../../x", {"a.txt": "a"}),
    "absolute": ("fetch:template", "        targetPath: /flagstone-must-not-exist", {"a.txt": "a"}),
    "names-climb": ("fetch:template", "        values: {up: '../../../x'}", {"${{ values.up }}": "a"}),
    "unclosed": ("fetch:template", "", {"good.txt": "a", "bad.txt": "one\ntwo {% if %}\n"}),
    "unknown-action": ("fetch:templat", "", {"a.txt": "a"}),
    "missing-skeleton": ("fetch:template", "", {}),
    "bulky": ("fetch:template", "", {f"part-{number}.txt": "x" * 900_000 for number in range(5)}),
}
"""name: (action, more input, skeleton)"""


def write(folder: Path) -> None:
    """All of them, each ``<name>/template.yaml``."""
    _template(
        folder,
        "service",
        _SERVICE,
        {
            "catalog-info.yaml": _ENTITY,
            "app.py": "${{ values.app }}",
            "{% if values.score %}score.yaml{% endif %}": "${{ values.score }}",
        },
    )
    for name, (action, more, files) in STEPS.items():
        _template(folder, name, _ONE_STEP.format(action=action, more=more), files)
    linked = _template(folder, "links-out", _ONE_STEP.format(action="fetch:template", more=""), {"a.txt": "a"})
    (linked / "skeleton" / "passwd").symlink_to("/etc/passwd")
    (linked / "skeleton" / "etc").symlink_to("/etc")
    _template(
        folder,
        "patience",
        "  steps:\n    - id: a\n      name: A\n      action: debug:wait\n"
        "      input: {seconds: 4}\n    - id: b\n      name: B\n      action: debug:log\n"
        "      input: {message: done waiting}\n",
        {},
    )
    _template(
        folder,
        "quick",
        "  steps:\n    - id: a\n      name: A\n      action: debug:log\n      input: {message: hello}\n",
        {},
    )
    _template(
        folder,
        "bad-schema",
        "  parameters:\n    - properties:\n        size: {type: banana, pattern: '['}\n"
        "  steps:\n    - id: a\n      action: debug:log\n",
        {},
    )


def _template(folder: Path, name: str, spec: str, files: dict[str, str]) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    (place / "template.yaml").write_text(_HEAD.format(name=name) + spec)
    for path, text in files.items():
        (place / "skeleton").mkdir(exist_ok=True)
        (place / "skeleton" / path.replace("/", "_")).write_text(text)
    return place
