"""Commands: runs."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.follow import follow_run, summary
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "number": "RUN",
    "title": "TITLE",
    "state": "STATE",
    "actor_name": "BY",
    "steps": "STEPS",
    "created_at": "AGE",
}
Run = Annotated[str, typer.Argument(help="Number or id of the run.")]


def register(app: typer.Typer) -> None:
    """Add ``runs``."""
    runs = typer.Typer(help="Runs: list, show, cancel, retry, approve, answer, resolve.", no_args_is_help=True)
    runs.command("list")(list_runs)
    runs.command("show")(show)
    runs.command("cancel")(cancel)
    runs.command("retry")(retry)
    runs.command("approve")(approve)
    runs.command("answer")(answer)
    runs.command("resolve")(resolve)
    app.add_typer(runs, name="runs")


def list_runs(
    state: Annotated[str | None, typer.Option(help="Only in this state, such as running or failed.")] = None,
    template: Annotated[str | None, typer.Option(help="Only of this template, such as template:default/web.")] = None,
    action: Annotated[str | None, typer.Option(help="Only with a step of this action.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Only started by: manual, schedule, event, batch.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 20,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    with session(url, token, as_json) as here:
        filters = {"state": state, "template_ref": template, "action": action, "trigger": trigger}
        rows = list(here.client.pages("/api/v1/runs", limit=limit, **filters))
        shown = rows if as_json else [{**row, "steps": f"{row['steps_done']}/{row['steps_total']}"} for row in rows]
        here.out.table(shown, _COLUMNS, empty="Nothing has run yet. `flagstone templates` lists golden paths.")


def show(run: Run, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Steps, results and errors of a run."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/runs/{run}")
        if as_json:
            here.out.json(found)
            return
        summary(here.out, found)
        here.out.table(
            found["steps"],
            {"id": "STEP", "action": "ACTION", "state": "STATE", "attempt": "TRIES"},
            empty="It has no steps.",
        )


def cancel(
    run: Run,
    undo: Annotated[bool, typer.Option("--undo", help="Also take back what is done, as far as it can be.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Ask a run to stop."""
    with session(url, token, as_json) as here:
        found = here.client.post(f"/api/v1/runs/{run}/cancel", undo="true" if undo else None)
        if as_json:
            here.out.json(found)
        here.out.say(_cancelled(found))


def _cancelled(run: dict[str, Any]) -> str:
    if run["state"] in ("cancelling", "cancelled"):
        return f"Run {run['number']} is {run['state']}."
    return f"Run {run['number']} had ended before: {run['state']}."


def retry(
    run: Run,
    from_step: Annotated[
        str | None, typer.Option("--from", help="Step to go on from.", show_default="the failed one")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a failed run."""
    with session(url, token, as_json) as here:
        follow_run(here, here.client.post(f"/api/v1/runs/{run}/retry", {"from_step": from_step}), follow=follow)


def approve(
    run: Run,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why, for those who read it later.")] = "",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Agree to everything that a run waits for and that you may decide."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/runs/{run}")
        asked = list(here.client.pages("/api/v1/approvals", limit=100, run_id=found["id"], state="pending"))
        mine = [item for item in asked if item["may_decide"]]
        if not mine:
            why = f" {asked[0]['why_not']}" if asked else ""
            raise Conflict("runs.nothing_to_approve", f"Run {found['number']} does not wait for your approval.{why}")
        done = [_approved(here, item, comment) for item in mine]
        if as_json:
            here.out.json(done)
        for item in done:
            agreed = sum(decision["verdict"] == "approve" for decision in item["decisions"])
            here.out.say(f"Run {found['number']}: {item['state']}, {agreed}/{item['rule']['count']} agreed.")


def _approved(here: Any, item: dict[str, Any], comment: str) -> dict[str, Any]:
    body = {"verdict": "approve", "comment": comment, "plan_digest": item["plan_digest"]}
    done: dict[str, Any] = here.client.post(f"/api/v1/approvals/{item['id']}/decision", body)
    return done


def answer(
    run: Run,
    step: Annotated[str, typer.Argument(help="Id of the step that asks.")],
    value: Annotated[
        list[str] | None, typer.Option("--value", help="name=value, as JSON or else as text; may be repeated.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Answer a step that asks for input."""
    with session(url, token, as_json) as here:
        body = {"values": dict(_pair(item) for item in value or ())}
        found = here.client.post(f"/api/v1/runs/{run}/steps/{quote(step, safe='')}/answer", body)
        follow_run(here, found, follow=follow)


def resolve(
    run: Run,
    step: Annotated[str, typer.Argument(help="Id of the step whose outcome is unknown.")],
    done: Annotated[
        bool,
        typer.Option("--done/--not-done", help="What was not done is done now.", prompt="Was it done?"),
    ],
    output: Annotated[
        list[str] | None, typer.Option("--output", help="name=value of what it gave, as JSON or else as text.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of a step when the platform cannot tell; the run goes on."""
    with session(url, token, as_json) as here:
        outputs = dict(_pair(item) for item in output or ())
        body = {"outcome": "done" if done else "not_done", "outputs": outputs}
        found = here.client.post(f"/api/v1/runs/{run}/steps/{quote(step, safe='')}/resolve", body)
        follow_run(here, found, follow=follow)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Invalid("runs.bad_value", f"{text!r} is not name=value.", hint="Write --value name=value.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
