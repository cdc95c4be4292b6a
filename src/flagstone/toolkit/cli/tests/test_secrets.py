"""Secrets come from files and terminals, never from the arguments of a command."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli.secrets import asked_by, read_secrets

PAGES = [
    {"required": ["key"], "properties": {"key": {"title": "Key", "ui:field": "Secret", "minLength": 12}, "name": {}}}
]


def test_a_file_gives_its_text_without_the_line_end_of_the_editor(tmp_path):
    file = tmp_path / "key"
    file.write_text("one\ntwo\n")
    assert read_secrets([f"key=@{file}"], ask=False) == {"key": "one\ntwo"}


@pytest.mark.parametrize("text", ["key=hunter2", "=@x", "key=@/nowhere/at/all", "key="])
def test_a_value_among_the_arguments_and_a_file_that_is_not_there_are_refused(text):
    with pytest.raises(Invalid) as refused:
        read_secrets([text], ask=False)
    assert "hunter2" not in str(refused.value)


def test_what_is_needed_is_asked_for_on_a_terminal_without_showing_it():
    app = typer.Typer()

    @app.command()
    def command(secret: list[str] | None = None) -> None:
        typer.echo(sorted(read_secrets(secret or (), asked_by(PAGES), ask=True).values()))

    done = CliRunner().invoke(app, ["--secret", "token"], input="swordfish\nhunter2\n")
    assert done.exit_code == 0
    assert done.stdout.strip() == "['hunter2', 'swordfish']"
    assert "Key" in done.stderr
    assert "hunter2" not in done.stderr
    assert asked_by(PAGES)[0]["stars"] == "*" * 12
