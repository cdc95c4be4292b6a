"""Commands: deployments."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from flagstone.kernel.errors import Invalid, NotFound
from flagstone.kernel.refs import EntityRef, parse_ref
from flagstone.toolkit.cli import Session, session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.session import AsJson, Token, Url
from flagstone.toolkit.yaml import load_documents

_EVENTS_AT_ONCE = 1000
_COLUMNS = {
    "workload": "WORKLOAD",
    "environment": "ENVIRONMENT",
    "state": "STATE",
    "version": "VERSION",
    "commit": "COMMIT",
    "since": "SINCE",
    "url": "URL",
    "message": "NOTE",
}
Name = Annotated[
    str | None, typer.Argument(help="Component, such as checkout.", show_default="the one of ./catalog-info.yaml")
]
Environment = Annotated[str | None, typer.Option("--env", "-e", help="Environment.")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (deploy, promote, status, logs, start, stop, delete):
        app.command()(command)


def deploy(
    name: Name = None,
    env: Annotated[str, typer.Option("--env", "-e", help="Environment.")] = "development",
    commit: Annotated[str | None, typer.Option(help="Commit.", show_default="head of the default branch")] = None,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a component from its hosted repository."""
    with session(url, token, as_json) as here:
        body = {"environment": env, "commit": commit}
        follow_run(here, here.client.post(f"/api/v1/entities/{_ref(name).path}/deploy", body)["run"], follow=follow)


def promote(
    to: Annotated[str, typer.Option("--to", help="Environment that it goes to.")],
    name: Name = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Environment that it comes from.", show_default="the only one it is in")
    ] = None,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Bring the release that runs in one environment up in a later one."""
    with session(url, token, as_json) as here:
        body = {"environment": to, "from": source or ""}
        follow_run(here, here.client.post(f"/api/v1/entities/{_ref(name).path}/promote", body)["run"], follow=follow)


def status(
    name: Annotated[str | None, typer.Argument(help="Only this component.")] = None,
    env: Environment = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """What is deployed where, in which version, and how it is."""
    with session(url, token, as_json) as here:
        ref = str(_ref(name)) if name else None
        rows = list(here.client.pages("/api/v1/deployments", entity_ref=ref, environment=env))
        if not as_json:
            rows = [_row(row) for row in rows]
        here.out.table(rows, _COLUMNS, empty="Nothing is deployed. `flagstone run` starts a golden path.")


def logs(
    target: Annotated[
        str | None, typer.Argument(help="Component, or run/NUMBER.", show_default="the one of ./catalog-info.yaml")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    env: Environment = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="So many of the last lines.")] = 100,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """The log of a component, or of a run."""
    with session(url, token, as_json) as here:
        if target and (target.startswith(("run/", "#")) or target.isdigit()):
            number = target.removeprefix("run/").removeprefix("#")
            if follow and not as_json:
                follow_run(here, here.client.get(f"/api/v1/runs/{number}"))
            found, stream = list(_run_events(here, number)), f"/api/v1/runs/{number}/stream"
        else:
            deployment = _one(here, _ref(target), env)
            path = f"/api/v1/deployments/{deployment['id']}/log"
            found, stream = here.client.get(path, limit=lines)["items"], f"{path}/stream"
        for item in found:
            _line(here, item)
        if follow:
            last = str(found[-1]["seq"]) if found else None
            for _, _, item in here.client.stream(stream, last_id=last):
                _line(here, item)


def start(
    name: Name = None,
    env: Environment = None,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Start a stopped component again."""
    _act("start", name, env, follow=follow, url=url, token=token, as_json=as_json)


def stop(
    name: Name = None,
    env: Environment = None,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop a component and keep it ready to be started."""
    _act("stop", name, env, follow=follow, url=url, token=token, as_json=as_json)


def delete(
    name: Annotated[str, typer.Argument(help="Component, such as checkout.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    follow: Follow = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Delete a component: its deployments, its hosted repository, its entry in the catalog."""
    with session(url, token, as_json) as here:
        ref = _ref(name)
        path = f"/api/v1/entities/{ref.path}/delete"
        plan = here.client.post(path, {}, dry_run="true")
        plan = plan.get("plan", plan)
        if dry_run and as_json:
            here.out.json(plan)
            return
        removed = [change for step in plan["steps"] for change in step["changes"]]
        for change in removed:
            here.out.say(f"- {change['kind']} {change['subject']}  {change['detail']}", style="red")
        if dry_run:
            return
        if not yes:
            if not sys.stdin.isatty():
                raise Invalid("cli.not_confirmed", "Deleting needs a confirmation.", hint="Add --yes.")
            if typer.prompt(f"Type {ref.name} to delete all this", err=True) != ref.name:
                raise typer.Exit(1)
        follow_run(here, here.client.post(path, {"confirm": ref.name})["run"], follow=follow)


def _act(
    what: str, name: str | None, env: str | None, *, follow: bool, url: str | None, token: str | None, as_json: bool
) -> None:
    with session(url, token, as_json) as here:
        body = {"environment": env} if env else {}
        follow_run(here, here.client.post(f"/api/v1/entities/{_ref(name).path}/{what}", body)["run"], follow=follow)


def _one(here: Session, ref: EntityRef, env: str | None) -> dict[str, Any]:
    found: list[dict[str, Any]] = list(here.client.pages("/api/v1/deployments", entity_ref=str(ref), environment=env))
    if not found:
        where = f" in {env}" if env else ""
        raise NotFound("cli.not_deployed", f"{ref} is not deployed{where}.", hint=f"Run: flagstone deploy {ref.name}")
    if len(found) > 1:
        names = ", ".join(item["environment"] for item in found)
        raise Invalid("cli.which_environment", f"{ref} is deployed in {names}.", hint="Choose one with --env.")
    return found[0]


def _run_events(here: Session, number: str) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        found = here.client.get(f"/api/v1/runs/{number}/events", after=after, limit=_EVENTS_AT_ONCE)["items"]
        yield from found
        if len(found) < _EVENTS_AT_ONCE:
            return
        after = found[-1]["seq"]


def _line(here: Session, item: dict[str, Any]) -> None:
    if here.out.as_json:
        here.out.console.print_json(data=item, indent=None)
    elif item.get("type", "log") == "log":
        sys.stdout.write(item["text"] + "\n")
        sys.stdout.flush()


def _row(item: dict[str, Any]) -> dict[str, Any]:
    release = item.get("release") or {}
    return {**item, "version": release.get("version"), "commit": (release.get("commit") or "")[:8]}


def _ref(name: str | None) -> EntityRef:
    if name:
        return parse_ref(name, default_kind="component")
    file = Path("catalog-info.yaml")
    try:
        for document in load_documents(file.read_bytes(), name=str(file)):
            value = document.value
            if isinstance(value, dict) and value.get("kind") == "Component":
                meta = value["metadata"]
                return EntityRef("component", meta.get("namespace", "default"), meta["name"])
    except (OSError, KeyError, TypeError) as error:
        raise Invalid(
            "cli.which_component",
            "No component was named, and this folder has no readable catalog-info.yaml.",
            hint="Name one: flagstone deploy NAME",
        ) from error
    raise Invalid("cli.which_component", f"{file} has no Component.", hint="Name one.")
