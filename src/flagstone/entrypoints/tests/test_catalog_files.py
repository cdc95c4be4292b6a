"""``flagstone catalog validate`` as people and CI run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flagstone.entrypoints import catalog_files
from flagstone.entrypoints.catalog_files import annotation
from flagstone.kernel.errors import Problem

ACME = Path(__file__).parents[4] / "examples" / "acme"
BAD = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: a b
spec:
  type: 7
  lifecycle: production
---
apiVersion: backstage.io/v1alpha1
kind: Domain
metadata: {name: fine}
spec: {owner: payments}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    catalog_files.register(app)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["catalog", "validate", *words])


def test_the_example_organisation_is_valid_with_its_own_kind(run):
    found = run(str(ACME), "--kinds", str(ACME / "kinds" / "dataset.kind.yaml"), "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["entities"] > 60


def test_every_problem_is_told_at_once_with_file_line_field_and_remedy(run):
    Path("catalog-info.yaml").write_text(BAD)
    found = run("catalog-info.yaml", "--json")
    assert found.exit_code == 2
    answer = json.loads(found.stdout)
    assert answer["entities"] == 1
    assert {(item["file"], item["line"], item["field"]) for item in answer["problems"]} == {
        ("catalog-info.yaml", 4, "metadata.name"),
        ("catalog-info.yaml", 6, "spec.type"),
        ("catalog-info.yaml", 5, "spec.owner"),
    }
    assert len(answer["problems"]) == 3
    assert all(item["hint"] for item in answer["problems"])
    assert "catalog-info.yaml:4: error: metadata.name" in run(".").output


def test_github_gets_annotations_on_the_lines(run):
    Path("catalog-info.yaml").write_text(BAD)
    lines = run("catalog-info.yaml", "--format", "github").stdout.splitlines()
    assert len(lines) == 3
    assert any(line.startswith("::error file=catalog-info.yaml,line=6,title=Catalog::spec.type") for line in lines)


def test_a_message_cannot_write_an_annotation_of_its_own():
    text = annotation("error", Problem("a\n::error::b 100%", "x,y:z.yaml", 1))
    assert text == "::error file=x%2Cy%3Az.yaml,line=1,title=Catalog::a%0A::error::b 100%25"


def test_files_that_a_location_names_are_checked_and_addresses_are_left_alone(run):
    Path("catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\n"
        "spec: {targets: [./other.yaml, ./missing.yaml]}\n---\n"
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: far}\n"
        "spec: {type: url, target: 'https://git.acme.example/x.yaml'}\n"
    )
    Path("other.yaml").write_text(BAD)
    answer = json.loads(run(".", "--json").stdout)
    assert {item["file"] for item in answer["problems"]} == {"other.yaml", "missing.yaml"}


def test_one_entity_in_two_files_is_a_warning_that_strict_makes_fail(run):
    text = "apiVersion: backstage.io/v1alpha1\nkind: Domain\nmetadata: {name: one}\nspec: {owner: x}\n"
    Path("a.yaml").write_text(text)
    Path("b.yaml").write_text(text)
    assert run("a.yaml", "b.yaml").exit_code == 0
    found = run("a.yaml", "b.yaml", "--strict", "--format", "github")
    assert found.exit_code == 2
    assert found.stdout.startswith("::warning file=b.yaml,line=1")


def test_a_declared_kind_that_is_wrong_is_told_like_everything_else(run):
    Path("x.kind.yaml").write_text("apiVersion: flagstone.dev/v1\nkind: EntityKind\nmetadata: {name: X}\nspec: {}\n")
    Path("a.yaml").write_text(BAD)
    answer = json.loads(run("a.yaml", "--kinds", "x.kind.yaml", "--json").stdout)
    assert "spec.apiVersions" in {item["field"] for item in answer["problems"]}


def test_a_path_that_is_not_there_fails(run):
    found = run("nope.yaml")
    assert found.exit_code == 2
    assert "There is no file" in found.output


def test_a_format_that_is_not_there_is_refused(run):
    assert run(".", "--format", "xml").exit_code == 2
