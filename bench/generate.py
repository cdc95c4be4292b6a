"""Believable catalogs of any size, the same for the same number: ``python -m bench.generate --entities 10000 DIR``.

    DIR/catalog-info.yaml                        Location: all areas
    DIR/<area>/catalog-info.yaml                 Location: the repositories of an area
    DIR/<area>/<repository>/catalog-info.yaml    Location: ./entities/*.yaml
    DIR/<area>/<repository>/entities/NN.yaml     some documents each, 75 in a repository

The mix is a company's: 70 % components, 12 % APIs, 8 % resources, 3 % systems, 0.5 % domains, 2 % groups, 4.5 % users.
Every relation leads to an entity that exists. Locations come on top of the number asked for.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PER_REPOSITORY = 75
PER_FILE = 5
PER_AREA = 40
SHARES = {"user": 0.045, "group": 0.02, "domain": 0.005, "system": 0.03, "resource": 0.08, "api": 0.12}
WORDS = (
    *("order", "invoice", "payment", "basket", "catalogue", "price", "stock", "parcel", "route", "driver", "customer"),
    *("account", "profile", "session", "consent", "search", "review", "coupon", "refund", "ledger", "tax", "report"),
    *("forecast", "alert", "audit", "billing", "contract", "supplier", "warehouse", "shelf", "label", "tracking"),
)
PARTS = (
    *("service", "worker", "gateway", "store", "ui", "sync", "export", "importer", "engine", "cache", "mailer", "cron"),
)
PEOPLE = (
    "ada",
    "grace",
    "linus",
    "barbara",
    "edsger",
    "margaret",
    "donald",
    "frances",
    "alan",
    "radia",
    "ken",
    "sophie",
)
TAGS = (
    *("java", "go", "python", "typescript", "kotlin", "rust", "c++", "c#", "react", "kafka", "grpc", "rest", "batch"),
    *("pci", "gdpr", "critical", "internal", "public", "legacy", "spring", "fastapi", "node", "postgresql", "redis"),
    *("machine-learning", "mobile", "web", "data", "frontend", "backend", "edge", "cron", "event-driven", "b2b"),
)
COMPONENT_TYPES = ("service",) * 10 + ("library",) * 5 + ("website",) * 3 + ("tool", "documentation")
LIFECYCLES = ("production",) * 7 + ("experimental",) * 2 + ("deprecated",)


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written, and what a catalog that has read all of it must know."""

    folder: Path
    root: Path
    entities: int
    locations: int
    names: dict[str, list[str]]
    relations: list[tuple[str, str, str]]
    """Some relations, each way: source ref, type, target ref."""
    files: dict[str, Path]
    """For some components the file that holds them."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description="Write a believable catalog.")
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.folder.exists() and any(options.folder.iterdir()):
        sys.exit(f"{options.folder} is not empty")
    made = generate(options.entities, options.folder)
    print(f"{made.entities} entities and {made.locations} locations below {made.root}")


def generate(count: int, folder: Path) -> Generated:
    """Write a catalog of ``count`` entities (and the Locations that lead to them) below ``folder``."""
    company = _Company(count)
    pages = list(company.documents())
    files: dict[str, Path] = {}
    locations = 1
    areas: list[str] = []
    size = PER_REPOSITORY * PER_AREA
    for number, start in enumerate(range(0, len(pages), size)):
        area = f"area-{number:02}"
        areas.append(area)
        repositories = []
        for index, first in enumerate(range(start, min(start + size, len(pages)), PER_REPOSITORY)):
            name = f"repository-{number:02}-{index:02}"
            repositories.append(name)
            _repository(folder / area / name, name, pages[first : first + PER_REPOSITORY], files)
        _location(folder / area, area, [f"./{name}/catalog-info.yaml" for name in repositories])
        locations += 1 + len(repositories)
    _location(folder, "company", [f"./{area}/catalog-info.yaml" for area in areas])
    return Generated(folder, folder / "catalog-info.yaml", len(pages), locations, company.names, company.samples, files)


def _repository(folder: Path, name: str, pages: list[tuple[str, str]], files: dict[str, Path]) -> None:
    (folder / "entities").mkdir(parents=True)
    for number, first in enumerate(range(0, len(pages), PER_FILE)):
        chunk = pages[first : first + PER_FILE]
        path = folder / "entities" / f"{number:02}.yaml"
        path.write_text("---\n".join(text for _, text in chunk))
        if number == 0 and chunk[0][0].startswith("component:"):
            files[chunk[0][0]] = path
    _location(folder, name, ["./entities/*.yaml"])


def _location(folder: Path, name: str, targets: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    listed = "".join(f"    - {target}\n" for target in targets)
    (folder / "catalog-info.yaml").write_text(
        f"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: {name}\nspec:\n  targets:\n{listed}"
    )


class _Company:
    """Names first, so that every reference can be kept; then the documents, one after another."""

    def __init__(self, count: int) -> None:
        self.random = random.Random(count)
        counts = {kind: max(1, round(count * share)) for kind, share in SHARES.items()}
        counts["component"] = count - sum(counts.values())
        if counts["component"] < 1:
            raise ValueError(f"{count} entities are too few for one of each kind")
        self.names = {kind: [self._name(kind, n) for n in range(counts[kind])] for kind in counts}
        self.samples: list[tuple[str, str, str]] = []
        self.teams = self.names["group"][len(self.names["group"]) // 5 :]
        self.every = max(1, count // 200)

    def _name(self, kind: str, number: int) -> str:
        word = self.random.choice(WORDS)
        if kind == "user":
            return f"{self.random.choice(PEOPLE)}-{number:05}"
        part = self.random.choice(PARTS) if kind == "component" else {"group": "team", "resource": "db"}.get(kind, kind)
        return f"{word}-{part}-{number:05}"

    def documents(self) -> Iterator[tuple[str, str]]:
        """Each entity's ref and its document, mixed as they lie in repositories."""
        made = [(kind, number) for kind, names in self.names.items() for number in range(len(names))]
        self.random.shuffle(made)
        # A changed file is measured on the first of a repository's documents: let those be components.
        heads = [at for at in range(0, len(made), PER_REPOSITORY) if made[at][0] != "component"]
        others = (at for at, (kind, _) in enumerate(made) if kind == "component" and at % PER_REPOSITORY)
        for at, other in zip(heads, others, strict=False):
            made[at], made[other] = made[other], made[at]
        for position, (kind, number) in enumerate(made):
            name = self.names[kind][number]
            spec = getattr(self, f"_{kind}")(number, position % self.every == 0)
            yield f"{kind}:default/{name}", self._document(kind, name, spec)

    def _document(self, kind: str, name: str, spec: dict[str, object]) -> str:
        pick = self.random
        words = name.rsplit("-", 1)[0].replace("-", " ")
        metadata: dict[str, object] = {
            "name": name,
            "title": words.title(),
            "description": f"Takes care of {words} for {pick.choice(WORDS)} and {pick.choice(WORDS)} teams at Acme",
        }
        if kind not in ("user", "group", "domain"):
            metadata["tags"] = sorted(pick.sample(TAGS, pick.randint(1, 5)))
            region = pick.choice(("eu", "us", "ap"))
            metadata["labels"] = {"tier": str(pick.randint(1, 4)), "acme.example/region": region}
            metadata["annotations"] = {
                "github.com/project-slug": f"acme/{name}",
                "backstage.io/techdocs-ref": "dir:.",
                **({"pagerduty.com/service-id": f"P{pick.randrange(10**6):06}"} if pick.random() < 0.4 else {}),
                **({"sonarqube.org/project-key": f"acme_{name}"} if pick.random() < 0.4 else {}),
            }
        if kind == "component" and pick.random() < 0.5:
            url = f"https://grafana.acme.example/d/{name}"
            metadata["links"] = [{"url": url, "title": "Dashboard", "icon": "dashboard"}]
        shown = "API" if kind == "api" else kind.title()
        entity = {"apiVersion": "backstage.io/v1alpha1", "kind": shown, "metadata": metadata, "spec": spec}
        return _yaml(entity)

    def _sample(self, wanted: bool, source: str, forward: str, target: str, reverse: str) -> None:
        if wanted:
            self.samples += [(source, forward, target), (target, reverse, source)]

    def _owner(self, ref: str, wanted: bool) -> str:
        team = self.random.choice(self.teams)
        self._sample(wanted, ref, "ownedBy", f"group:default/{team}", "ownerOf")
        return team if self.random.random() < 0.7 else f"group:default/{team}"

    def _component(self, number: int, wanted: bool) -> dict[str, object]:
        pick, names = self.random, self.names
        ref = f"component:default/{names['component'][number]}"
        spec: dict[str, object] = {
            "type": pick.choice(COMPONENT_TYPES),
            "lifecycle": pick.choice(LIFECYCLES),
            "owner": self._owner(ref, wanted),
            "system": self._near("system", number, "component"),
        }
        self._sample(wanted, ref, "partOf", f"system:default/{spec['system']}", "hasPart")
        provided = [names["api"][at] for at in self._share(number, "api")]
        if provided:
            spec["providesApis"] = provided
            self._sample(wanted, ref, "providesApi", f"api:default/{provided[0]}", "apiProvidedBy")
        if consumed := sorted({pick.choice(names["api"]) for _ in range(pick.choice((0, 0, 1, 1, 2, 3)))}):
            spec["consumesApis"] = consumed
            self._sample(wanted, ref, "consumesApi", f"api:default/{consumed[0]}", "apiConsumedBy")
        needed = [f"resource:default/{pick.choice(names['resource'])}" for _ in range(pick.choice((0, 0, 1, 1, 2)))]
        if pick.random() < 0.3:
            needed.append(f"component:{pick.choice(names['component'])}")
        if needed:
            spec["dependsOn"] = sorted(set(needed))
        return spec

    def _near(self, kind: str, number: int, of: str) -> str:
        names = self.names[kind]
        return names[number * len(names) // len(self.names[of])]

    def _share(self, number: int, kind: str) -> range:
        count, total = len(self.names[kind]), len(self.names["component"])
        return range(number * count // total, (number + 1) * count // total)

    def _api(self, number: int, wanted: bool) -> dict[str, object]:
        name = self.names["api"][number]
        return {
            "type": self.random.choice(("openapi", "openapi", "openapi", "grpc", "asyncapi", "graphql")),
            "lifecycle": self.random.choice(LIFECYCLES),
            "owner": self._owner(f"api:default/{name}", wanted),
            "system": self._near("system", number, "api"),
            "definition": _definition(name, self.random.choice(WORDS)),
        }

    def _resource(self, number: int, wanted: bool) -> dict[str, object]:
        return {
            "type": self.random.choice(("database", "database", "s3-bucket", "kafka-topic", "cache")),
            "owner": self._owner(f"resource:default/{self.names['resource'][number]}", wanted),
            "system": self._near("system", number, "resource"),
        }

    def _system(self, number: int, wanted: bool) -> dict[str, object]:
        ref = f"system:default/{self.names['system'][number]}"
        domain = self._near("domain", number, "system")
        self._sample(wanted, ref, "partOf", f"domain:default/{domain}", "hasPart")
        return {"owner": self._owner(ref, wanted), "domain": domain}

    def _domain(self, number: int, wanted: bool) -> dict[str, object]:
        return {"owner": self._owner(f"domain:default/{self.names['domain'][number]}", wanted)}

    def _group(self, number: int, wanted: bool) -> dict[str, object]:
        groups = self.names["group"]
        spec: dict[str, object] = {
            "type": "root" if number == 0 else "department" if groups[number] not in self.teams else "team",
            "profile": {"displayName": groups[number].replace("-", " ").title()},
            "children": [],
        }
        if number:
            spec["parent"] = groups[(number - 1) // 5]
            ref, parent = f"group:default/{groups[number]}", f"group:default/{spec['parent']}"
            self._sample(wanted, ref, "childOf", parent, "parentOf")
        return spec

    def _user(self, number: int, wanted: bool) -> dict[str, object]:
        name = self.names["user"][number]
        teams = sorted({self.random.choice(self.teams) for _ in range(self.random.choice((1, 1, 1, 2)))})
        self._sample(wanted, f"user:default/{name}", "memberOf", f"group:default/{teams[0]}", "hasMember")
        return {"profile": {"displayName": name.title(), "email": f"{name}@acme.example"}, "memberOf": teams}


def _definition(name: str, word: str) -> str:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    paths = {
        f"/{word}s": {"get": {"summary": f"Lists each {word}", "responses": answer}},
        f"/{word}s/{{id}}": {"get": {"summary": f"One {word}", "responses": answer}},
    }
    document = {"openapi": "3.1.0", "info": {"title": name, "version": "1.0.0"}, "paths": paths}
    return json.dumps(document, indent=1) + "\n"


def _yaml(value: object, indent: str = "") -> str:
    """Block YAML as people write it; strings are quoted only where they must be. Faster than a general emitter."""
    assert isinstance(value, dict)
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(f"{indent}{key}:\n{_yaml(item, indent + '  ')}")
        elif isinstance(item, list):
            lines.append(_list(key, item, indent))
        elif "\n" in str(item):
            text = "".join(f"{indent}  {line}\n" for line in str(item).splitlines())
            lines.append(f"{indent}{key}: |\n{text}")
        else:
            lines.append(f"{indent}{key}: {_scalar(str(item))}\n")
    return "".join(lines)


def _list(key: str, items: list[object], indent: str) -> str:
    if not items:
        return f"{indent}{key}: []\n"
    lines = []
    for item in items:
        if isinstance(item, dict):
            inner = _yaml(item, indent + "    ")
            lines.append(f"{indent}  - {inner.lstrip()}")
        else:
            lines.append(f"{indent}  - {_scalar(str(item))}\n")
    return f"{indent}{key}:\n{''.join(lines)}"


def _scalar(text: str) -> str:
    return f'"{text}"' if text.isdigit() or "#" in text else text


if __name__ == "__main__":
    main()
