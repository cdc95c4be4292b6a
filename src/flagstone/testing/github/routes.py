"""The endpoints of the fake GitHub."""

# ruff: noqa: ARG001  every endpoint takes what the dispatcher hands to all

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nacl.public import SealedBox

from flagstone.kernel.errors import FlagstoneError
from flagstone.testing.github.state import Refusal, Repo, content_of, stamp
from flagstone.toolkit.git import GitChanges

if TYPE_CHECKING:
    from flagstone.testing.github.server import FakeGitHub

Answer = Any
Call = Callable[..., Answer]
ROUTES: list[tuple[str, re.Pattern[str], Call]] = []
_IN_REPO = r"/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)"


def _route(method: str, pattern: str) -> Callable[[Call], Call]:
    def add(call: Call) -> Call:
        ROUTES.append((method, re.compile(pattern.replace("REPO", _IN_REPO) + r"\Z"), call))
        return call

    return add


@_route("GET", "/users/(?P<owner>[^/]+)")
def _user(hub: FakeGitHub, owner: str, **_: Any) -> Answer:
    return {"login": owner, "id": 7, "type": "User" if owner == hub.login else "Organization"}


@_route("GET", "/orgs/(?P<owner>[^/]+)/teams/(?P<team>[^/]+)")
def _team(hub: FakeGitHub, team: str, **_: Any) -> Answer:
    return {"slug": team, "id": 70}


@_route("GET", "/orgs/(?P<owner>[^/]+)/installation")
def _installation(hub: FakeGitHub, owner: str, **_: Any) -> Answer:
    return {"id": 99, "account": {"login": owner}}


@_route("POST", "/app/installations/99/access_tokens")
def _app_token(hub: FakeGitHub, **_: Any) -> Answer:
    hub.app_tokens += 1
    return {"token": hub.token, "expires_at": hub.app_token_until}


@_route("POST", "/user/repos|/orgs/(?P<org>[^/]+)/repos")
def _create(hub: FakeGitHub, body: dict[str, Any], org: str | None = None, **_: Any) -> Answer:
    owner = org or hub.login
    if f"{owner}/{body['name']}".lower() in hub.repos:
        raise Refusal(422, "Repository creation failed.", [{"message": "name already exists on this account"}])
    hub.count("repository")
    repo = hub.repository(
        f"{owner}/{body['name']}", {"README.md": "# New\n"} if body.get("auto_init") else None, **body
    )
    return _view(hub, repo)


@_route("GET", "REPO")
def _get(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    return _view(hub, repo)


@_route("PATCH", "REPO")
def _patch(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    repo.facts |= body
    return _view(hub, repo)


@_route("DELETE", "REPO")
def _delete(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    del hub.repos[f"{repo.owner}/{repo.name}".lower()]


def _view(hub: FakeGitHub, repo: Repo) -> dict[str, Any]:
    return {
        "full_name": f"{repo.owner}/{repo.name}",
        "name": repo.name,
        "html_url": f"{hub.url}/{repo.owner}/{repo.name}",
        "default_branch": "main",
        **repo.facts,
    }


@_route("GET", "REPO/branches")
def _branches(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    return [{"name": tip.branch, "commit": {"sha": tip.commit.id}} for tip in GitChanges(repo.git).tips()]


@_route("GET", "REPO/commits/(?P<sha>[0-9a-f]+)")
def _commit(hub: FakeGitHub, repo: Repo, sha: str, **_: Any) -> Answer:
    _not_empty(repo)
    try:
        found = repo.git.commits(1, start=sha)
    except FlagstoneError:
        raise Refusal(422, f"No commit found for SHA: {sha}") from None
    return {"sha": found[0].id, "commit": {"message": found[0].subject}}


@_route("GET", "REPO/compare/(?P<base>[^/]+)\\.\\.\\.(?P<head>.+)")
def _compare(hub: FakeGitHub, repo: Repo, base: str, head: str, **_: Any) -> Answer:
    ends = repo.git.head(base), repo.git.head(head)
    return {"ahead_by": GitChanges(repo.git).count(str(ends[0]), str(ends[1]))}


@_route("GET", "REPO/git/ref/heads/(?P<branch>.+)")
def _ref(hub: FakeGitHub, repo: Repo, branch: str, **_: Any) -> Answer:
    _not_empty(repo)
    head = repo.git.head(branch)
    if head is None:
        raise Refusal(404, "Not Found")
    return {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": head}}


@_route("POST", "REPO/git/refs")
def _new_ref(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    if repo.git.head(body["ref"].removeprefix("refs/heads/")):
        raise Refusal(422, "Reference already exists")
    hub.count("branch")
    repo.git.move(body["ref"], body["sha"], None)
    return {"ref": body["ref"], "object": {"sha": body["sha"]}}


@_route("PATCH", "REPO/git/refs/heads/(?P<branch>.+)")
def _move_ref(hub: FakeGitHub, repo: Repo, branch: str, body: dict[str, Any], **_: Any) -> Answer:
    before = repo.git.head(branch)
    if before and GitChanges(repo.git).merge_base(before, body["sha"]) != before and not body.get("force"):
        raise Refusal(422, "Update is not a fast forward")
    repo.git.move(f"refs/heads/{branch}", body["sha"], before)
    return {"ref": f"refs/heads/{branch}", "object": {"sha": body["sha"]}}


@_route("DELETE", "REPO/git/refs/heads/(?P<branch>.+)")
def _delete_ref(hub: FakeGitHub, repo: Repo, branch: str, **_: Any) -> Answer:
    before = repo.git.head(branch)
    if before is None:
        raise Refusal(422, "Reference does not exist")
    repo.git.move(f"refs/heads/{branch}", None, before)


@_route("GET", "REPO/git/commits/(?P<sha>[0-9a-f]+)")
def _git_commit(hub: FakeGitHub, repo: Repo, sha: str, **_: Any) -> Answer:
    if repo.git.command("cat-file", "-e", f"{sha}^{{commit}}", check=False).code:
        raise Refusal(404, "Not Found")
    tree = repo.git.command("rev-parse", f"{sha}^{{tree}}").out.decode().strip()
    return {
        "sha": sha,
        "tree": {"sha": tree},
        "parents": [{"sha": found} for found in GitChanges(repo.git).parents(sha)],
    }


@_route("POST", "REPO/git/commits")
def _new_commit(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    return {"sha": hub.plumbing.commit(repo, body)}


@_route("GET", "REPO/git/trees/(?P<sha>[0-9a-f]+)")
def _tree(hub: FakeGitHub, repo: Repo, sha: str, **_: Any) -> Answer:
    entries = [
        {"path": e.path, "mode": "100755" if e.executable else "100644", "type": e.type, "sha": e.object_id}
        for e in repo.git.tree(sha)
    ]
    return {"sha": sha, "tree": entries, "truncated": False}


@_route("POST", "REPO/git/trees")
def _new_tree(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    return {"sha": hub.plumbing.tree(repo, body.get("base_tree"), body["tree"])}


@_route("GET", "REPO/git/blobs/(?P<sha>[0-9a-f]+)")
def _blob(hub: FakeGitHub, repo: Repo, sha: str, **_: Any) -> Answer:
    return {"sha": sha, **content_of(hub.plumbing.read(repo, sha))}


@_route("POST", "REPO/git/blobs")
def _new_blob(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    return {"sha": hub.plumbing.blob(repo, base64.b64decode(body["content"]))}


@_route("GET", "REPO/contents/(?P<path>.+)")
def _contents(hub: FakeGitHub, repo: Repo, path: str, query: Mapping[str, str], **_: Any) -> Answer:
    found = repo.files(query.get("ref", "main")).get(path)
    if found is None:
        raise Refusal(404, "Not Found")
    return {"path": path, "type": "file", **content_of(found.encode())}


@_route("GET", "REPO/pulls")
def _pulls(hub: FakeGitHub, repo: Repo, query: Mapping[str, str], **_: Any) -> Answer:
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    return [
        _pull(repo, pull)
        for pull in reversed(repo.pulls.values())
        if state in ("all", pull["state"])
        and head in (None, f"{repo.owner}:{pull['head']['ref']}")
        and base in (None, pull["base"]["ref"])
    ]


@_route("POST", "REPO/pulls")
def _new_pull(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    head, base = repo.git.head(body["head"]), repo.git.head(body["base"])
    if head is None or base is None:
        raise Refusal(422, "Validation Failed", [{"field": "head", "code": "invalid"}])
    if GitChanges(repo.git).count(base, head) == 0:
        raise Refusal(422, "Validation Failed", [{"message": f"No commits between {body['base']} and {body['head']}"}])
    if any(p["state"] == "open" and p["head"]["ref"] == body["head"] for p in repo.pulls.values()):
        raise Refusal(422, "Validation Failed", [{"message": f"A pull request already exists for {body['head']}."}])
    hub.count("pull request")
    number = repo.next_number()
    repo.pulls[number] = {
        "number": number,
        "state": "open",
        "html_url": f"{hub.url}/{repo.owner}/{repo.name}/pull/{number}",
        **{key: body.get(key) for key in ("title", "body", "draft")},
        "head": {"ref": body["head"], "sha": head},
        "base": {"ref": body["base"]},
    }
    return repo.pulls[number]


def _pull(repo: Repo, pull: dict[str, Any]) -> dict[str, Any]:
    pull["head"]["sha"] = repo.git.head(pull["head"]["ref"]) or pull["head"]["sha"]
    return pull


@_route("GET", "REPO/pulls/(?P<number>\\d+)")
def _one_pull(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    return _pull(repo, _known(repo.pulls, number))


@_route("PUT", "REPO/pulls/(?P<number>\\d+)/merge")
def _merge(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    pull = _pull(repo, _known(repo.pulls, number))
    base = pull["base"]["ref"]
    before, head = repo.git.head(base), pull["head"]["sha"]
    if GitChanges(repo.git).merge_base(str(before), head) != before:
        raise Refusal(405, "Pull Request is not mergeable")
    repo.git.move(f"refs/heads/{base}", head, before)
    pull |= {"state": "closed", "merged": True}
    return {"merged": True, "sha": head}


@_route("PATCH", "REPO/(?P<kind>pulls|issues)/(?P<number>\\d+)")
def _change(hub: FakeGitHub, repo: Repo, kind: str, number: str, body: dict[str, Any], **_: Any) -> Answer:
    found = _known(repo.pulls if kind == "pulls" else repo.issues, number)
    found |= body
    return found


@_route("POST", "REPO/(?:pulls|issues)/(?P<number>\\d+)/(?P<what>requested_reviewers|assignees|labels)")
def _add_people(hub: FakeGitHub, repo: Repo, number: str, what: str, body: dict[str, Any], **_: Any) -> Answer:
    found = repo.pulls.get(int(number)) or _known(repo.issues, number)
    for key, values in body.items():
        there = found.setdefault(key, [])
        there += [value for value in values if value not in there]
    return found


@_route("GET", "REPO/issues")
def _issues(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    return list(reversed(repo.issues.values()))


@_route("GET", "REPO/issues/(?P<number>\\d+)")
def _issue(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    return _known(repo.issues, number)


@_route("POST", "REPO/issues")
def _new_issue(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    hub.count("issue")
    number = repo.next_number()
    url = f"{hub.url}/{repo.owner}/{repo.name}/issues/{number}"
    repo.issues[number] = {"number": number, "state": "open", "html_url": url, **body}
    return repo.issues[number]


@_route("GET", "REPO/(?P<what>hooks|keys|autolinks)")
def _list(hub: FakeGitHub, repo: Repo, what: str, **_: Any) -> Answer:
    return repo.lists.get(what, [])


@_route("POST", "REPO/(?P<what>hooks|keys|autolinks)")
def _add(hub: FakeGitHub, repo: Repo, what: str, body: dict[str, Any], **_: Any) -> Answer:
    hub.count(what)
    there = repo.lists.setdefault(what, [])
    there.append({"id": len(there) + 1, **body})
    return there[-1]


@_route("PATCH", "REPO/hooks/(?P<number>\\d+)")
def _change_hook(hub: FakeGitHub, repo: Repo, number: str, body: dict[str, Any], **_: Any) -> Answer:
    found = next(item for item in repo.lists["hooks"] if item["id"] == int(number))
    found |= body
    return found


@_route("GET", "REPO/(?P<place>actions|environments/[^/]+)/secrets/public-key")
def _key(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    return {"key_id": "k1", "key": base64.b64encode(bytes(hub.private_key.public_key)).decode()}


@_route("PUT", "REPO/(?P<place>actions|environments/[^/]+)/secrets/(?P<secret>[^/]+)")
def _secret(hub: FakeGitHub, repo: Repo, place: str, secret: str, body: dict[str, Any], **_: Any) -> Answer:
    opened = SealedBox(hub.private_key).decrypt(base64.b64decode(body["encrypted_value"]))
    repo.secrets[f"{place}/{secret}"] = opened.decode()


@_route("GET", "REPO/(?P<place>actions|environments/[^/]+)/variables/(?P<variable>[^/]+)")
def _variable(hub: FakeGitHub, repo: Repo, place: str, variable: str, **_: Any) -> Answer:
    if f"{place}/{variable}" not in repo.variables:
        raise Refusal(404, "Not Found")
    return {"name": variable, "value": repo.variables[f"{place}/{variable}"]}


@_route("POST", "REPO/(?P<place>actions|environments/[^/]+)/variables")
@_route("PATCH", "REPO/(?P<place>actions|environments/[^/]+)/variables/[^/]+")
def _set_variable(hub: FakeGitHub, repo: Repo, place: str, body: dict[str, Any], **_: Any) -> Answer:
    repo.variables[f"{place}/{body['name']}"] = body["value"]


@_route("GET", "REPO/environments/(?P<env>[^/]+)/deployment-branch-policies")
def _policies(hub: FakeGitHub, repo: Repo, env: str, **_: Any) -> Answer:
    return {"branch_policies": repo.lists.get(f"policies {env}", [])}


@_route("POST", "REPO/environments/(?P<env>[^/]+)/deployment-branch-policies")
def _policy(hub: FakeGitHub, repo: Repo, env: str, body: dict[str, Any], **_: Any) -> Answer:
    repo.lists.setdefault(f"policies {env}", []).append(body)
    return body


@_route("GET", "REPO/pages")
def _pages(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    if "pages" not in repo.puts:
        raise Refusal(404, "Not Found")
    return repo.puts["pages"]


@_route("POST", "REPO/pages")
def _new_pages(hub: FakeGitHub, repo: Repo, body: dict[str, Any], **_: Any) -> Answer:
    if "pages" in repo.puts:
        raise Refusal(409, "GitHub Pages is already enabled.")
    repo.puts["pages"] = body
    return body


@_route("GET", "REPO/actions/workflows/(?P<workflow>[^/]+)")
def _workflow(hub: FakeGitHub, repo: Repo, workflow: str, **_: Any) -> Answer:
    path = f".github/workflows/{workflow}"
    if path not in repo.files():
        raise Refusal(404, "Not Found")
    return {"id": 5, "name": workflow, "path": path, "state": "active"}


@_route("POST", "REPO/actions/workflows/(?P<workflow>[^/]+)/dispatches")
def _dispatch(hub: FakeGitHub, repo: Repo, workflow: str, body: dict[str, Any], **_: Any) -> Answer:
    if "return_run_details" in body and not hub.tells_runs:
        raise Refusal(422, 'Invalid request.\n\n"return_run_details" is not a permitted key.')
    hub.count("workflow run")
    number = 1000 + len(repo.runs)
    place = f"/repos/{repo.owner}/{repo.name}/actions/runs/{number}"
    named = body["inputs"].get("flagstone_run", "")
    run = {
        "id": number,
        "name": workflow,
        "display_title": f"Build {named}" if hub.names_runs else "Build",
        "status": "queued",
        "conclusion": None,
        "event": "workflow_dispatch",
        "head_branch": body["ref"],
        "created_at": stamp(),
        "url": hub.url + "/api/v3" + place,
        "html_url": f"{hub.url}/{repo.owner}/{repo.name}/actions/runs/{number}",
        "inputs": body["inputs"],
    }
    repo.runs.append(run)
    if body.get("return_run_details"):
        return {"workflow_run_id": number, "run_url": run["url"], "html_url": run["html_url"]}
    return None


@_route("GET", "REPO/actions/workflows/[^/]+/runs")
def _runs(hub: FakeGitHub, repo: Repo, **_: Any) -> Answer:
    return {"total_count": len(repo.runs), "workflow_runs": list(reversed(repo.runs))}


@_route("GET", "REPO/actions/runs/(?P<number>\\d+)")
def _run(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    return _known({run["id"]: run for run in repo.runs}, number)


@_route("POST", "REPO/actions/runs/(?P<number>\\d+)/cancel")
def _cancel(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    run = _known({run["id"]: run for run in repo.runs}, number)
    if run["status"] == "completed":
        raise Refusal(409, "Cannot cancel a workflow run that is completed.")
    run |= {"status": "completed", "conclusion": "cancelled"}


@_route("GET", "REPO/actions/runs/(?P<number>\\d+)/jobs")
def _jobs(hub: FakeGitHub, repo: Repo, number: str, **_: Any) -> Answer:
    run = _known({run["id"]: run for run in repo.runs}, number)
    job = {"id": 1, "name": "build", "conclusion": run["conclusion"], "html_url": f"{run['html_url']}/job/1"}
    return {"total_count": 1, "jobs": [job]}


_KEPT = (
    "topics|subscription|pages|properties/values|collaborators/[^/]+|environments/[^/]+|branches/[^/]+/protection"
    "|branches/[^/]+/protection/required_signatures|actions/oidc/customization/sub|actions/permissions/access"
)


@_route("(?:PUT|PATCH|POST)", f"REPO/(?P<path>{_KEPT})")
def _put(hub: FakeGitHub, repo: Repo, path: str, body: Any = None, **_: Any) -> Answer:
    """Topics, collaborators, protection, environments, properties: what was put is kept."""
    repo.puts[path] = body
    return body or {}


@_route("PUT", "/orgs/[^/]+/teams/(?P<team>[^/]+)/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)")
def _team_access(hub: FakeGitHub, repo: Repo, team: str, body: dict[str, Any], **_: Any) -> Answer:
    repo.puts[f"teams/{team}"] = body


def _not_empty(repo: Repo) -> None:
    if not repo.git.refs():
        raise Refusal(409, "Git Repository is empty.")


def _known(items: Mapping[int, dict[str, Any]], number: str) -> dict[str, Any]:
    found = items.get(int(number))
    if found is None:
        raise Refusal(404, "Not Found")
    return found
