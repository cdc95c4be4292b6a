"""Following a run on the terminal."""

from __future__ import annotations

import httpx
import pytest
import typer

from flagstone.toolkit.cli.client import Client
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.output import Output
from flagstone.toolkit.cli.profile import Profile
from flagstone.toolkit.cli.session import Session

RUN = {"id": "r", "number": 7, "title": "A run", "state": "queued", "steps_total": 1}


@pytest.mark.parametrize("follow", [True, False])
def test_a_run_that_another_server_executes_is_said_to_be_there_and_is_no_error(capsys, tmp_path, follow):
    problem = {"title": "not found", "status": 404, "code": "http.not_found", "detail": "There is nothing."}
    transport = httpx.MockTransport(lambda _: httpx.Response(404, json=problem))
    session = Session(
        Client("http://portal.example", None, transport=transport), Output(as_json=False), Profile.load(tmp_path)
    )
    with pytest.raises(typer.Exit) as ended:
        follow_run(session, RUN, follow=follow)
    assert ended.value.exit_code == 0
    assert "http://portal.example/runs/7" in capsys.readouterr().err
