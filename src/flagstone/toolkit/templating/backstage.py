"""The filters that Backstage's scaffolder, and plugins that are widely used with it, add to Nunjucks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.values import UNDEFINED, Value, member, to_text

_PARTS = ("owner", "repo", "organization", "workspace", "project")
_EXAMPLE = "github.com?owner=acme&repo=service"


def parse_repo_url(budget: Budget, value: Value) -> dict[str, str]:
    """``host?owner=…&repo=…`` to an object with the parts that are there."""
    if not isinstance(value, str):
        raise TemplateError(f"parseRepoUrl needs a text such as {_EXAMPLE}.")
    budget.text(8 * len(value))
    address = value.partition("://")[2] if "://" in value else value
    host, _, query = address.partition("?")
    pairs = dict(parse_qsl(query, max_num_fields=50))
    parts = {"host": host.strip("/"), **{name: pairs[name] for name in _PARTS if pairs.get(name)}}
    if not parts["host"] or not ({"repo", "project"} & parts.keys()):
        raise TemplateError(f"{value!r:.200} is not a repository URL; write it like {_EXAMPLE}.")
    return parts


def project_slug(budget: Budget, value: Value) -> str:
    """``owner/repo`` of a repository URL."""
    parts = parse_repo_url(budget, value)
    owner = parts.get("owner") or parts.get("workspace") or parts.get("project") or parts.get("organization", "")
    return f"{owner}/{parts.get('repo', '')}"


def project_name(budget: Budget, value: Value) -> str:
    """The name of the repository of a repository URL: Flagstone's own filter, beside Backstage's."""
    return parse_repo_url(budget, value).get("repo", "")


def parse_entity_ref(budget: Budget, value: Value, context: Value = UNDEFINED) -> dict[str, str]:
    """``kind:namespace/name`` to an object; the argument may give defaultKind and defaultNamespace."""
    defaults = context if isinstance(context, Mapping) else {}
    if isinstance(value, Mapping):
        value = f"{value.get('kind', '')}:{value.get('namespace', 'default')}/{value.get('name', '')}"
    if not isinstance(value, str):
        raise TemplateError("parseEntityRef needs a text such as component:default/service.")
    kind, namespace = defaults.get("defaultKind"), defaults.get("defaultNamespace")
    try:
        ref = parse_ref(
            value,
            default_kind=to_text(kind, budget) or None,
            default_namespace=to_text(namespace, budget) or None,
        )
    except Invalid as error:
        raise TemplateError(error.message) from error
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def pick(budget: Budget, value: Value, key: Value) -> Value:
    """One member of an object."""
    return member(value, key, budget)


FILTERS: dict[str, Callable[..., Value]] = {
    "parseEntityRef": parse_entity_ref,
    "parseRepoUrl": parse_repo_url,
    "pick": pick,
    "projectName": project_name,
    "projectSlug": project_slug,
}
