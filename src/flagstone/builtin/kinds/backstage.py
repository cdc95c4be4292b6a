"""The kinds and the relations that their fields declare."""

from __future__ import annotations

from flagstone.builtin.kinds import schemas
from flagstone.builtin.kinds.schemas import PROFILE, TEXT, TEXT_OR_TEXTS, TEXTS
from flagstone.sdk import EntityKind, RelationField

VERSIONS = ("backstage.io/v1alpha1", "backstage.io/v1beta1")
TEMPLATE_VERSIONS = ("scaffolder.backstage.io/v1beta3",)

OWNER = RelationField("spec.owner", "ownedBy", "ownerOf", "Group")
SYSTEM = RelationField("spec.system", "partOf", "hasPart", "System")
DEPENDS_ON = RelationField("spec.dependsOn", "dependsOn", "dependencyOf", None, many=True)
DEPENDENCY_OF = RelationField("spec.dependencyOf", "dependencyOf", "dependsOn", None, many=True)

COMPONENT = EntityKind(
    "Component",
    VERSIONS,
    schemas.entity(
        ("type", "lifecycle", "owner"),
        type=TEXT,
        lifecycle=TEXT,
        owner=TEXT,
        system=TEXT,
        subcomponentOf=TEXT,
        providesApis=TEXTS,
        consumesApis=TEXTS,
        dependsOn=TEXTS,
        dependencyOf=TEXT_OR_TEXTS,
    ),
    relations=(
        OWNER,
        SYSTEM,
        RelationField("spec.subcomponentOf", "partOf", "hasPart", "Component"),
        RelationField("spec.providesApis", "providesApi", "apiProvidedBy", "API", many=True),
        RelationField("spec.consumesApis", "consumesApi", "apiConsumedBy", "API", many=True),
        DEPENDS_ON,
        DEPENDENCY_OF,
    ),
    icon="box",
    plural="components",
    description="A piece of software: a service, a website, a library.",
)

API = EntityKind(
    "API",
    VERSIONS,
    schemas.entity(
        ("type", "lifecycle", "owner", "definition"),
        type=TEXT,
        lifecycle=TEXT,
        owner=TEXT,
        definition=TEXT,
        system=TEXT,
    ),
    relations=(OWNER, SYSTEM),
    icon="braces",
    plural="APIs",
    description="An interface that components provide and consume.",
)

RESOURCE = EntityKind(
    "Resource",
    VERSIONS,
    schemas.entity(("type", "owner"), type=TEXT, owner=TEXT, system=TEXT, dependsOn=TEXTS, dependencyOf=TEXT_OR_TEXTS),
    relations=(OWNER, SYSTEM, DEPENDS_ON, DEPENDENCY_OF),
    icon="database",
    plural="resources",
    description="Infrastructure that components need: a database, a queue, a cluster.",
)

SYSTEM_KIND = EntityKind(
    "System",
    VERSIONS,
    schemas.entity(("owner",), owner=TEXT, domain=TEXT, type=TEXT),
    relations=(OWNER, RelationField("spec.domain", "partOf", "hasPart", "Domain")),
    icon="layers",
    plural="systems",
    description="Components, APIs and resources that belong together.",
)

DOMAIN = EntityKind(
    "Domain",
    VERSIONS,
    schemas.entity(("owner",), owner=TEXT, subdomainOf=TEXT, type=TEXT),
    relations=(OWNER, RelationField("spec.subdomainOf", "partOf", "hasPart", "Domain")),
    icon="blocks",
    plural="domains",
    description="Systems that serve one part of the business.",
)

GROUP = EntityKind(
    "Group",
    VERSIONS,
    schemas.entity(("type", "children"), type=TEXT, profile=PROFILE, parent=TEXT, children=TEXTS, members=TEXTS),
    relations=(
        RelationField("spec.parent", "childOf", "parentOf", "Group"),
        RelationField("spec.children", "parentOf", "childOf", "Group", many=True),
        RelationField("spec.members", "hasMember", "memberOf", "User", many=True),
    ),
    icon="users",
    plural="groups",
    description="A team or another part of the organisation.",
)

USER = EntityKind(
    "User",
    VERSIONS,
    schemas.entity(("memberOf",), profile=PROFILE, memberOf=TEXTS),
    relations=(RelationField("spec.memberOf", "memberOf", "hasMember", "Group", many=True),),
    icon="user",
    plural="users",
    description="A person.",
)

LOCATION = EntityKind(
    "Location",
    VERSIONS,
    schemas.entity(
        (), type=TEXT, target=TEXT, targets=TEXTS, presence={"type": "string", "enum": ["required", "optional"]}
    ),
    icon="folder-open",
    plural="locations",
    description="A pointer to further entity files.",
)

TEMPLATE = EntityKind(
    "Template",
    TEMPLATE_VERSIONS,
    schemas.entity(
        ("type", "steps"),
        type=TEXT,
        owner=TEXT,
        lifecycle=TEXT,
        steps={"type": "array", "items": schemas.STEP},
        parameters=schemas.PARAMETERS,
        secrets={"type": "object", "properties": {"schema": {"type": "object"}}},
        presentation={"type": "object"},
        output=schemas.OUTPUT,
    ),
    relations=(OWNER,),
    icon="sparkles",
    plural="templates",
    description="A golden path: a form, and steps that create or change something.",
)

BACKSTAGE_KINDS: tuple[EntityKind, ...] = (
    COMPONENT,
    API,
    RESOURCE,
    SYSTEM_KIND,
    DOMAIN,
    GROUP,
    USER,
    LOCATION,
    TEMPLATE,
)
