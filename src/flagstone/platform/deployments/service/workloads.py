"""Reading a workload out of a commit: its Score file, its entity, its owner, and what it becomes in an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound, Problem
from flagstone.kernel.refs import parse_ref
from flagstone.platform.deployments.model import Deployment, Release, score
from flagstone.platform.deployments.model.placeholders import PlaceholderError
from flagstone.sdk import DeploymentSpec
from flagstone.toolkit.yaml import Document, load_documents, read_yaml

SCORE_FILE = "score.yaml"
CATALOG_FILE = "catalog-info.yaml"

Read = Callable[[str], bytes | None]
"""A file of a commit by its path; None when there is none."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a commit says of its workload."""

    name: str
    document: Mapping[str, Any]
    """Canonical form, placeholders as written."""
    digest: str
    entity_ref: str
    """The component that it is: from the catalog file, else made from the workload's name."""
    owner: str | None
    """Owner ref from the catalog file."""
    line: score.Line
    """Lines of the Score file."""


def read_workload(read: Read, where: str, entity_ref: str | None = None) -> Workload:
    """The workload of a commit. ``where`` names the commit for people.

    Raises NotFound when there is no Score file, Invalid with every fault when it is not sound.
    """
    text = read(SCORE_FILE)
    if text is None:
        raise NotFound(
            "deployments.no_score_file",
            f"There is no {SCORE_FILE} in {where}.",
            hint=f"Add a {SCORE_FILE} that says how the workload is started.",
        )
    document = _single(text, where)
    upgraded = score.upgrade(document.value)
    problems = score.validate(upgraded, file=SCORE_FILE, line=document.line_of)
    if problems:
        raise Invalid(
            "deployments.invalid_workload",
            f"The {SCORE_FILE} in {where} is not valid.",
            hint="Mend it, commit and deploy again.",
            problems=problems,
        )
    canonical = score.canonical(upgraded)
    name = str(canonical["metadata"]["name"])
    component, owner = _component(read, entity_ref, name)
    return Workload(name, canonical, score.digest(canonical), component, owner, document.line_of)


def _single(text: bytes, where: str) -> Document:
    documents = load_documents(text, name=SCORE_FILE)
    if len(documents) == 1 and isinstance(documents[0].value, dict):
        return documents[0]
    if len(documents) > 1:
        problem = Problem(
            "holds more than one document", SCORE_FILE, documents[1].line, hint="Keep one workload a file."
        )
    else:
        problem = Problem("holds no Score document", SCORE_FILE, 1, hint="It begins with apiVersion: score.dev/v1b1.")
    raise Invalid("deployments.invalid_workload", f"The {SCORE_FILE} in {where} is not valid.", problems=[problem])


def _component(read: Read, entity_ref: str | None, name: str) -> tuple[str, str | None]:
    """(entity ref, owner ref). A catalog file with faults is the catalog's matter: here it only has nothing to say."""
    wanted = entity_ref.lower() if entity_ref else None
    text = read(CATALOG_FILE)
    found: list[tuple[str, str | None]] = []
    for document in read_yaml(text, name=CATALOG_FILE).documents if text is not None else ():
        entry = _entity(document.value)
        if entry is not None and (wanted is None or entry[0] == wanted):
            found.append(entry)
    if found:
        return found[0]
    return wanted or f"component:default/{name}", None


def _entity(value: Any) -> tuple[str, str | None] | None:
    if not isinstance(value, dict) or str(value.get("kind", "")).lower() != "component":
        return None
    metadata, spec = value.get("metadata"), value.get("spec")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        return None
    namespace = str(metadata.get("namespace") or "default")
    owner = spec.get("owner") if isinstance(spec, dict) else None
    return f"component:{namespace}/{name}".lower(), owner_ref(owner, namespace)


def owner_ref(text: object, namespace: str = "default") -> str | None:
    """An owner as written (``team-a``, ``user:jane``) as a full ref in lower case; None when it is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return str(parse_ref(text, default_kind="group", default_namespace=namespace))
    except FlagstoneError:
        return None


def spec_of(
    deployment: Deployment,
    release: Release,
    source_dir: Path,
    read: Callable[[str], bytes],
    outputs: Mapping[str, Mapping[str, Any]],
) -> DeploymentSpec:
    """What a runtime is given: placeholders resolved, files read in. Raises Invalid, NotFound.

    ``outputs`` are those of its resources, by name.
    """
    return DeploymentSpec(
        id=deployment.id,
        name=release.workload_name,
        environment=deployment.environment,
        entity_ref=deployment.entity_ref,
        release=release.version,
        release_id=release.id,
        commit=release.commit,
        workload=_resolved(release, read, outputs),
        source_dir=source_dir,
    )


def _resolved(
    release: Release, read: Callable[[str], bytes], outputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    where = f"{release.repository} at {release.commit[:12]}"
    try:
        return score.resolve(release.workload, outputs, read)
    except PlaceholderError as error:
        raise Invalid(
            "deployments.unresolved", f"A placeholder of the workload in {where} has no value: {error}."
        ) from error
    except NotFound as error:
        raise Invalid(
            "deployments.missing_file",
            f"The {SCORE_FILE} in {where} names a file that is not there: {error.message}",
            hint="Paths of files are relative to the root of the repository.",
        ) from error
