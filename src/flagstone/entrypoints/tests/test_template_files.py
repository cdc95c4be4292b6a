"""Templates judged without a server: the commands as CI calls them."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flagstone.entrypoints import workbench
from flagstone.entrypoints.cli import load_commands

ACME = Path(__file__).parents[4] / "examples" / "acme" / "templates"

TEMPLATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: small}
spec:
  type: service
  owner: group:default/a
  parameters:
    required: [name]
    properties:
      name: {type: string, pattern: '^[a-z-]+$'}
      count: {type: integer, default: 1}
  steps:
    - id: files
      action: fetch:template
      input:
        url: ./shared
        values: {name: '${{ parameters.name }}'}
    - id: say
      action: debug:log
      if: ${{ parameters.count > 1 }}
      input: {message: '${{ secrets.token }}'}
  output:
    links: [{title: Site, url: 'https://${{ parameters.name }}.example'}]
"""
CASES = """\
cases:
  - name: All files
    values: {name: basket}
    secrets: {token: t0p}
    expect:
      golden: golden
      files:
        README.md: "# basket\\n"
        run.sh: {executable: true, contains: [basket], lacks: ['${{']}
        Dockerfile: false
      steps: {files: {action: 'fetch:template'}, say: {skipped: true}}
      output: {links: [{title: Site}]}
      links: [{url: 'https://basket.example'}]
  - name: Capitals
    values: {name: Basket}
    expect: {refused: pattern}
"""


@pytest.fixture(scope="module")
def app():
    return load_commands("templates")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with workbench.workbench([tmp_path_factory.getbasetemp()]) as found:
        yield found


@pytest.fixture(autouse=True)
def one_for_all(bench, monkeypatch):
    """Building one takes a second; all commands of this module share one."""
    monkeypatch.setattr(workbench, "workbench", lambda _folders: nullcontext(bench))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shared = tmp_path / "small" / "shared"
    shared.mkdir(parents=True)
    (shared / "README.md").write_text("# ${{ values.name }}\n")
    (shared / "run.sh").write_text("echo ${{ values.name }}\n")
    (shared / "run.sh").chmod(0o755)
    (shared / "logo.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "small" / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "small" / "template.test.yaml").write_text(CASES)
    return tmp_path


@pytest.fixture
def call(app):
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, ["templates", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_cases_pass_fail_and_write_what_they_expect(here, call):
    assert "there is no folder golden yet" in call("test", "small", code=1)
    assert "updated" in call("test", "small", "--update")
    golden = here / "small" / "golden"
    assert sorted(path.name for path in golden.iterdir()) == ["README.md", "logo.png.binary", "run.sh"]
    assert call("test", ".").count("ok") == 2
    (here / "small" / "shared" / "README.md").write_text("# ${{ values.name }}!\n")
    (here / "small" / "shared" / "Dockerfile").write_text("FROM scratch\n")
    told = json.loads(call("test", "small", "--json", "-k", "all", code=1))
    assert told["failed"] == 1
    faults = "\n".join(told["cases"][0]["faults"])
    assert "README.md: it is another text" in faults
    assert "+# basket!" in faults
    assert "Dockerfile: there is Dockerfile" in faults
    assert "Dockerfile: it is not in golden" in faults


def test_lint_tells_file_line_and_place_and_fails(here, call):
    assert "1 template, 0 errors, 1 warnings" in call("lint", "small")  # nobody asks for the secret
    call("lint", "small", "--strict", code=2)
    bad = TEMPLATE.replace("debug:log", "debug:lgo").replace("./shared", "./skeleton")
    (here / "small" / "template.yaml").write_text(bad)
    (here / "small" / "skeleton").mkdir()
    (here / "small" / "skeleton" / "ci.yml").write_text("a\n${{ github.ref || 1 }}\n")
    told = call("lint", "small", code=2)
    assert "small/template.yaml:19: error: spec.steps[1].action: there is no action debug:lgo" in told
    assert "Did you mean debug:log?" in told
    assert "small/skeleton/ci.yml:2: error: this cannot be rendered" in told
    marked = call("lint", "small", "--format", "github", code=2)
    assert "::error file=small/template.yaml,line=19,title=Template::spec.steps[1].action" in marked
    found = json.loads(call("lint", "small", "--json", code=2))
    assert not found["valid"]
    assert {"severity", "code", "message", "file", "line"} <= found["findings"][0].keys()


def test_a_file_is_previewed_without_a_server(here, call):
    told = call("preview", "small", "--input", "name=basket", "--input", "count=2")
    assert "+ README.md" in told
    assert "debug:log" in told
    assert "Some answers" in call("preview", "small", "--input", "name=Basket", code=2)


def test_what_is_not_there_or_no_case_is_told(here, call):
    assert "no file or folder" in call("lint", "nowhere", code=2)
    (here / "small" / "template.test.yaml").unlink()
    assert "no test case" in call("test", "small", code=2)
    (here / "small" / "template.test.yaml").write_text("cases: [{name: x, expects: {}}]")
    assert "cases.0.expects" in call("test", "small", code=2)


def test_the_examples_are_as_they_should_be(tmp_path, call):
    shutil.copytree(ACME, tmp_path / "templates")
    assert "0 errors, 0 warnings" in call("lint", str(tmp_path))
    assert "0 failed" in call("test", str(tmp_path))
