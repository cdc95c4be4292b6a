"""Commands: schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.plans import read_values, show_plan, types_of
from flagstone.toolkit.cli.session import AsJson, Token, Url

Ident = Annotated[str, typer.Argument(help="Id of the schedule, as `flagstone schedules list` shows it.")]
_COLUMNS = {"id": "ID", "title": "TITLE", "when": "WHEN", "next": "NEXT", "actor_name": "BY", "state": "STATE"}


def register(app: typer.Typer) -> None:
    """Add ``schedules``."""
    schedules = typer.Typer(help="Runs that start by themselves: by the clock, or by events.", no_args_is_help=True)
    schedules.command("list")(list_schedules)
    schedules.command("show")(show)
    schedules.command("create")(create)
    schedules.command("change")(change)
    schedules.command("upgrade")(upgrade)
    schedules.command("pause")(pause)
    schedules.command("resume")(resume)
    schedules.command("run")(run_now)
    schedules.command("delete")(delete)
    app.add_typer(schedules, name="schedules")


def list_schedules(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List schedules and event triggers, newest first."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/triggers"))
        shown = rows if as_json else [_row(row) for row in rows]
        here.out.table(shown, _COLUMNS, empty="Nothing starts by itself. See `flagstone schedules create --help`.")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    state = "paused" if item["paused"] else "failed" if item["last_error"] else "on"
    when = f"{item['cron']} {item['timezone']}" if item["kind"] == "schedule" else f"on {item['event_type']}"
    return {**item, "when": when, "state": state, "next": item["upcoming"][0] if item["upcoming"] else ""}


def show(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Due times, the last start and the runs of a schedule."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/triggers/{ident}")
        if as_json:
            here.out.json(found)
            return
        row = _row(found)
        here.out.fields(
            {
                "Title": row["title"],
                "When": row["when"],
                "Runs": row["workflow"],
                "State": row["state"],
                "Next": ", ".join(found["upcoming"][:3]),
                "Acts as": row["actor_name"],
                "Last error": row["last_error"],
            }
        )
        runs = list(here.client.pages("/api/v1/runs", limit=10, triggered_by=ident))
        columns = {"number": "RUN", "title": "TITLE", "state": "STATE", "created_at": "AGE"}
        here.out.table(runs, columns, empty="It has not started anything yet.")


def create(
    name: Annotated[str, typer.Argument(help="Golden path, such as python-web-service.")],
    cron: Annotated[str, typer.Option(help='Minute, hour, day, month, weekday: "30 7 * * 1-5".')] = "",
    timezone: Annotated[str, typer.Option(help="Time zone, such as Europe/Berlin.")] = "UTC",
    event: Annotated[str, typer.Option(help="Instead of a time: type of the event, such as repository.pushed.")] = "",
    when: Annotated[list[str] | None, typer.Option(help="Condition of an event: data.branch=main, repeatable.")] = None,
    title: Annotated[str, typer.Option(help="What it is called.", show_default="as its runs")] = "",
    jitter: Annotated[int, typer.Option(help="Put each start off by up to so many seconds.")] = 0,
    missed: Annotated[str, typer.Option(help="Due times that were missed: skip, once or all.")] = "once",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Value: name=value, repeatable; JSON for lists and objects.")
    ] = None,
    values: Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with values.")] = None,
    entity: Annotated[str | None, typer.Option(help="What a day-2 action is for, such as component:orders.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a golden path by the clock, or whenever something happens."""
    if bool(cron) == bool(event):
        raise Invalid("cli.cron_or_event", "Give either --cron or --event.")
    with session(url, token, as_json) as here:
        ref = parse_ref(name, default_kind="template")
        path = f"/api/v1/templates/{ref.namespace}/{ref.name}"
        form = here.client.get(path)
        body = {
            "title": title,
            "cron": cron,
            "timezone": timezone,
            "event_type": event,
            "conditions": dict(_pair(item) for item in when or ()),
            "jitter_seconds": jitter,
            "missed": missed,
            "values": read_values(types_of([step["schema"] for step in form["steps"]]), values, set_ or []),
            "entity": str(parse_ref(entity, default_kind="component")) if entity else None,
        }
        made = here.client.post(f"{path}/schedules", body)
        if as_json:
            here.out.json(made)
        following = f", next {made['upcoming'][0]}" if made["upcoming"] else ""
        here.out.say(f"{made['title']} is on{following}. Its id is {made['id']}.")


def _pair(text: str) -> tuple[str, str]:
    place, sign, value = text.partition("=")
    if not sign:
        raise Invalid("cli.bad_condition", f"{text!r} has no =.", hint="Write data.branch=main.")
    return place, value


def change(
    ident: Ident,
    title: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    cron: Annotated[str | None, typer.Option(help='Minute, hour, day, month, weekday: "30 7 * * 1-5".')] = None,
    timezone: Annotated[str | None, typer.Option(help="Time zone, such as Europe/Berlin.")] = None,
    event: Annotated[str | None, typer.Option(help="Type of the event, of an event trigger.")] = None,
    when: Annotated[list[str] | None, typer.Option(help="All conditions: data.branch=main, repeatable.")] = None,
    jitter: Annotated[int | None, typer.Option(help="Put each start off by up to so many seconds.")] = None,
    missed: Annotated[str | None, typer.Option(help="Due times that were missed: skip, once or all.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Change when a schedule starts; what is left out stays. From then on it acts as you."""
    body: dict[str, Any] = {
        "title": title,
        "cron": cron,
        "timezone": timezone,
        "event_type": event,
        "conditions": dict(_pair(item) for item in when) if when else None,
        "jitter_seconds": jitter,
        "missed": missed,
    }
    body = {name: value for name, value in body.items() if value is not None}
    if not body:
        raise Invalid("cli.nothing_to_change", "Nothing is to be changed.", hint="Give an option such as --cron.")
    with session(url, token, as_json) as here:
        found = here.client.put(f"/api/v1/triggers/{ident}", body)
        if as_json:
            here.out.json(found)
        here.out.say(f"{found['title']} is changed.")


def upgrade(
    ident: Ident,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Another answer: name=value, repeatable; JSON for lists.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what its runs would do.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let a schedule run its golden path as it is now. From then on it acts as you."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/triggers/{ident}")
        if not found["template_ref"]:
            raise Invalid("cli.no_template", f"{found['title']} runs no golden path.")
        ref = parse_ref(found["template_ref"])
        form = here.client.get(f"/api/v1/templates/{ref.namespace}/{ref.name}")
        changed = read_values(types_of([step["schema"] for step in form["steps"]]), None, set_ or [])
        body = {"values": {**found["inputs"], **changed}}
        path = f"/api/v1/schedules/{ident}/version"
        if plan:
            planned = here.client.post(f"{path}/plan", body)["plan"]
            if as_json:
                here.out.json(planned)
            elif planned is None:
                here.out.say("The answers fit. What its runs do depends on the event.")
            else:
                show_plan(here.out, planned)
            return
        made = here.client.put(path, body)
        if as_json:
            here.out.json(made)
        same = found["template_version"] == made["template_version"]
        here.out.say(f"{made['title']} runs {'the same' if same else 'the newest'} version of {ref.name}.")


def pause(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Let a schedule rest."""
    _set(ident, url, token, as_json, paused=True)


def resume(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Let a schedule go on; what was due meanwhile is not made up for."""
    _set(ident, url, token, as_json, paused=False)


def _set(ident: str, url: str | None, token: str | None, as_json: bool, *, paused: bool) -> None:
    with session(url, token, as_json) as here:
        found = here.client.patch(f"/api/v1/triggers/{ident}", {"paused": paused})
        if as_json:
            here.out.json(found)
        here.out.say(f"{found['title']} is {'paused' if paused else 'on'}.")


def run_now(
    ident: Ident,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a schedule now."""
    with session(url, token, as_json) as here:
        follow_run(here, here.client.post(f"/api/v1/triggers/{ident}/run"), follow=follow)


def delete(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Delete a schedule; its runs stay."""
    with session(url, token, as_json) as here:
        found = here.client.delete(f"/api/v1/triggers/{ident}")
        if as_json:
            here.out.json(found)
        here.out.say("It is deleted.")
