"""Commands: repositories of the built-in git hosting and their change requests."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.session import AsJson, Token, Url

_COLUMNS = {
    "number": "CHANGE",
    "title": "TITLE",
    "state": "STATE",
    "branches": "BRANCH",
    "author_name": "BY",
    "created_at": "AGE",
}
Name = Annotated[str, typer.Argument(help="project/name of the repository.")]
Number = Annotated[int, typer.Argument(help="Number of the change request.")]


def register(app: typer.Typer) -> None:
    """Add ``repos``."""
    repos = typer.Typer(help="Repositories of the built-in git hosting.", no_args_is_help=True)
    repos.command("list")(list_repositories)
    changes = typer.Typer(help="Change requests: list, show, merge, close.", no_args_is_help=True)
    changes.command("list")(list_changes)
    changes.command("show")(show)
    changes.command("merge")(merge)
    changes.command("close")(close)
    repos.add_typer(changes, name="changes")
    app.add_typer(repos, name="repos")


def list_repositories(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List repositories by name."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/repositories", limit=200))
        columns = {"name": "REPOSITORY", "owner": "OWNER", "clone_url": "CLONE URL", "updated_at": "CHANGED"}
        here.out.table(rows, columns, empty="There are no repositories yet.")


def list_changes(
    repository: Name,
    state: Annotated[str | None, typer.Option(help="Only in this state: open, merged or closed.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 20,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the change requests of a repository, newest first."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages(f"/api/v1/repositories/{repository}/changes", limit=limit, state=state))
        shown = rows if as_json else [{**row, "branches": f"{row['branch']} -> {row['base']}"} for row in rows]
        here.out.table(shown, _COLUMNS, empty="There are no change requests.")


def show(
    repository: Name,
    number: Number,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="With the changed lines.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """A change request: what it is, whether it can be merged, and what it changes."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/repositories/{repository}/changes/{number}")
        if as_json:
            here.out.json(found)
            return
        here.out.say(f"#{found['number']} {found['title']} ({found['state']})")
        here.out.say(f"{found['branch']} -> {found['base']}, by {found['author_name']}")
        if found["text"]:
            here.out.say(found["text"])
        here.out.say(_standing(found))
        for file in found["files"]:
            here.out.say(f"{file['op']:7} {file['path']}  +{file['additions']} -{file['deletions']}")
            for line in _lines(file) if diff else ():
                here.out.say(line)


def merge(
    repository: Name,
    number: Number,
    fast_forward: Annotated[bool, typer.Option("--fast-forward", help="Move the branch on, no merge commit.")] = False,
    head: Annotated[str, typer.Option(help="Only when its branch stands at this commit.")] = "",
    message: Annotated[str, typer.Option("--message", "-m", help="Message of the merge commit.")] = "",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Merge a change request."""
    body = {"method": "fast-forward" if fast_forward else "merge", "head": head, "message": message}
    with session(url, token, as_json) as here:
        found = here.client.post(f"/api/v1/repositories/{repository}/changes/{number}/merge", body)
        if as_json:
            here.out.json(found)
        here.out.say(f"Merged #{number} into {found['base']} as {found['merge_commit'][:12]}.")


def close(repository: Name, number: Number, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Close a change request without merging it."""
    with session(url, token, as_json) as here:
        found = here.client.post(f"/api/v1/repositories/{repository}/changes/{number}/close")
        if as_json:
            here.out.json(found)
        here.out.say(f"Closed #{number}: {found['title']}.")


def _standing(found: dict[str, Any]) -> str:
    behind = f"; {found['base']} has {found['behind']} commits that it has not" if found["behind"] else ""
    words = {
        "clean": "It can be merged",
        "conflict": f"It conflicts with {found['base']} in {', '.join(found['conflicts'])}",
        "nothing": f"{found['base']} holds all of it already",
        "gone": "Its branch was deleted",
        None: f"It was {found['state']} by {found['ended_by_name']}",
    }
    return f"{words[found['mergeable']]}{behind}."


def _lines(file: dict[str, Any]) -> list[str]:
    if file["binary"] or file["cut"]:
        return ["        (binary)" if file["binary"] else "        (too many lines to show)"]
    signs = {"same": " ", "add": "+", "remove": "-"}
    return [f"        {signs[line['kind']]}{line['text']}" for hunk in file["hunks"] for line in hunk["lines"]]
