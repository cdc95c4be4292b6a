"""Making a repository and giving it all that a template asks for: each call may be repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flagstone.builtin.github.base import marker
from flagstone.builtin.github.fields import ProtectionFields, RepositoryFields
from flagstone.builtin.github.hosts import Target
from flagstone.builtin.github.sealed import put_secrets, put_variables
from flagstone.kernel.errors import Conflict, Denied, Invalid

Log = Callable[[str], None]


def check_free(target: Target) -> None:
    """Raise Conflict when the name is taken."""
    if target.info() is not None:
        raise _taken(target)


def make(target: Target, fields: RepositoryFields, step_key: str, *, auto_init: bool = False) -> dict[str, Any]:
    """The repository, made by this step now or before it was interrupted. Raises Conflict when somebody else made it.

    Until :func:`finish` its description says which step is making it.
    """
    there = target.info()
    if there is None:
        there = _create(target, fields, step_key, auto_init=auto_init)
    if not is_unfinished(there, step_key):
        raise _taken(target)
    return there


def is_unfinished(info: dict[str, Any], step_key: str) -> bool:
    """Whether this step made it and did not come to the end."""
    return marker(step_key) in str(info.get("description") or "")


def equip(target: Target, fields: RepositoryFields) -> None:
    """Topics, people, variables, secrets and the rest."""
    api, path = target.api, target.path
    if fields.topics:
        api.send("PUT", f"{path}/topics", {"names": [topic.lower() for topic in fields.topics]})
    for kind, name, access in _people(target, fields):
        if kind == "team":
            body = {"permission": access}
            api.send("PUT", f"/orgs/{target.owner}/teams/{name}/repos/{target.owner}/{target.repo}", body)
        else:
            api.send("PUT", f"{path}/collaborators/{name}", {"permission": access})
    put_variables(api, f"{path}/actions", fields.variables)
    put_secrets(api, f"{path}/actions", fields.secrets)
    if fields.properties:
        values = [{"property_name": name, "value": value} for name, value in fields.properties.items()]
        api.send("PATCH", f"{path}/properties/values", {"properties": values})
    if fields.oidc is not None:
        custom: dict[str, Any] = {"use_default": bool(fields.oidc.get("useDefault", True))}
        if keys := fields.oidc.get("includeClaimKeys"):
            custom["include_claim_keys"] = keys
        api.send("PUT", f"{path}/actions/oidc/customization/sub", custom)
    if fields.subscribe:
        api.send("PUT", f"{path}/subscription", {"subscribed": True, "ignored": False})


def finish(target: Target, fields: RepositoryFields, **more: Any) -> None:
    """The last call: the description that was asked for takes the place of the mark."""
    body = {"description": fields.description, "allow_update_branch": fields.allow_update_branch, **more}
    target.api.send("PATCH", target.path, body)


def protect(target: Target, branch: str, fields: ProtectionFields, log: Log, *, block_creations: bool = False) -> None:
    """Protect a branch; a plan of GitHub that has no protection is said, not an error."""
    path = f"{target.path}/branches/{branch}/protection"
    try:
        target.api.send("PUT", path, fields.protection(block_creations=block_creations))
        if fields.signing:
            target.api.send("POST", f"{path}/required_signatures")
    except Denied as error:
        if "upgrade" not in error.message.lower():
            raise
        log(f"The branch {branch} was not protected: this plan of GitHub does not offer it for private repositories.")


def facts(target: Target, fields: RepositoryFields) -> dict[str, str]:
    """What a plan tells of the new repository, without values of secrets."""
    found = {"Visibility": fields.visibility, "Address": target.web_url}
    if fields.topics:
        found["Topics"] = ", ".join(fields.topics)
    if people := [f"{name} ({access})" for _, name, access in _people(target, fields)]:
        found["Access"] = ", ".join(people)
    for word, names in (("Variables", fields.variables), ("Secrets", fields.secrets)):
        if names:
            found[word] = ", ".join(sorted(names))
    return found


def _create(target: Target, fields: RepositoryFields, step_key: str, *, auto_init: bool) -> dict[str, Any]:
    owner = target.api.get(f"/users/{target.owner}")
    organisation = owner.get("type") == "Organization"
    body: dict[str, Any] = {
        **fields.settings(),
        "name": target.repo,
        "private": fields.visibility != "public",
        # GitHub takes 350 characters.
        "description": f"{fields.description[:280]} [being made: {marker(step_key)}]".strip(),
        "auto_init": auto_init,
    }
    if organisation:
        body["visibility"] = fields.visibility
    path = f"/orgs/{target.owner}/repos" if organisation else "/user/repos"
    try:
        made: dict[str, Any] = target.api.send("POST", path, body)
    except Invalid as error:
        # Somebody, or this very step in an answer that was lost, was quicker.
        there = target.info() if "exists" in error.message else None
        if there is None:
            raise
        return there
    if made.get("full_name", "").lower() != target.name.lower():
        raise Invalid(
            "github.other_owner",
            f"The credential {target.api.secret!r} made {made.get('full_name')}: it is not of {target.owner!r}.",
            hint="Use an organisation, or the credential of that user.",
        )
    return made


def _people(target: Target, fields: RepositoryFields) -> list[tuple[str, str, str]]:
    found = []
    if fields.access:
        owner, slash, team = fields.access.partition("/")
        if slash:
            found.append(("team", team, "admin"))
        elif owner != target.owner:
            found.append(("user", owner, "admin"))
    for item in fields.collaborators:
        if item.team:
            found.append(("team", item.team.rpartition("/")[2], item.access))
        else:
            found.append(("user", item.user or item.username, item.access))
    return found


def _taken(target: Target) -> Conflict:
    return Conflict(
        "github.name_taken",
        f"There is a repository {target.subject} already.",
        hint="Choose another name, or open a pull request on it with publish:github:pull-request.",
    )
