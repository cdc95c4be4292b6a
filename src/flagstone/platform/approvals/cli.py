"""Commands: requests for approval."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "id": "REQUEST",
    "run_number": "RUN",
    "run_title": "TITLE",
    "requested_by_name": "ASKED BY",
    "state": "STATE",
    "agreed": "AGREED",
    "created_at": "AGE",
}
Request = Annotated[str, typer.Argument(help="Id of the request.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why, for those who read it later.")]


def register(app: typer.Typer) -> None:
    """Add ``approvals``."""
    approvals = typer.Typer(help="Requests for approval: list, show, approve, reject, delegate.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    approvals.command("show")(show)
    approvals.command("approve")(approve)
    approvals.command("reject")(reject)
    approvals.command("delegate")(delegate)
    app.add_typer(approvals, name="approvals")


def list_approvals(
    everyone: Annotated[bool, typer.Option("--all", help="Not only those that you may decide.")] = False,
    by_me: Annotated[bool, typer.Option("--by-me", help="Those of runs that you started.")] = False,
    state: Annotated[str | None, typer.Option(help="Only in this state, such as pending or rejected.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 20,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List requests that wait for you, newest first."""
    wanted: dict[str, Any] = {"by_me": True} if by_me else {} if everyone or state else {"mine": True}
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/approvals", limit=limit, state=state, **wanted))
        shown = rows if as_json else [{**row, "agreed": _agreed(row)} for row in rows]
        here.out.table(
            shown, _COLUMNS, empty="Nothing waits for your approval." if "mine" in wanted else "There is none."
        )


def show(request: Request, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """A request: who is asked for what, what the run would do, and what was decided."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/approvals/{request}")
        plan = here.client.get(f"/api/v1/approvals/{request}/plan")["plan"]
        if as_json:
            here.out.json({**found, "plan": plan})
            return
        say = here.out.say
        say(f"{found['run_title']} (run {found['run_number']}, asked by {found['requested_by_name']})")
        say(
            f"{found['state']}: {_agreed(found)} agreed; "
            f"asks {', '.join(found['rule']['of'])} until {found['expires_at']}"
        )
        for text in (found["rule"]["reason"], found["message"]):
            if text:
                say(text)
        for step in (plan or {}).get("steps", ()):
            for change in step["changes"]:
                say(f"  {change['op']:7} {change['kind']} {change['subject']}  {change['detail']}".rstrip())
        for file in (plan or {}).get("files", ()):
            say(f"  {file['op']:7} file {file['path']}")
        for verdict in (plan or {}).get("verdicts", ()):
            say(f"  {verdict['severity']}: {verdict['message']} ({verdict['policy']})")
        for item in found["decisions"]:
            say(f"{item['actor_name']}: {item['verdict']}{' - ' + item['comment'] if item['comment'] else ''}")
        say("You may decide it." if found["may_decide"] else found["why_not"])


def approve(
    request: Request, comment: Comment = "", url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Agree."""
    _decide(request, "approve", comment, url, token, as_json)


def reject(
    request: Request, comment: Comment = "", url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Refuse; the run fails."""
    _decide(request, "reject", comment, url, token, as_json)


def delegate(
    request: Request,
    to: Annotated[str, typer.Argument(help="User of the catalog, such as user:default/ada.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody else decide in your place."""
    with session(url, token, as_json) as here:
        found = here.client.post(f"/api/v1/approvals/{request}/delegation", {"to": to})
        if as_json:
            here.out.json(found)
        here.out.say(f"{to} may decide in your place.")


def _decide(request: str, verdict: str, comment: str, url: str | None, token: str | None, as_json: bool) -> None:
    with session(url, token, as_json) as here:
        body = {"verdict": verdict, "comment": comment}
        found = here.client.post(f"/api/v1/approvals/{request}/decision", body)
        if as_json:
            here.out.json(found)
        here.out.say(f"Run {found['run_number']}: {found['state']}, {_agreed(found)} agreed.")


def _agreed(found: dict[str, Any]) -> str:
    return f"{sum(item['verdict'] == 'approve' for item in found['decisions'])}/{found['rule']['count']}"
