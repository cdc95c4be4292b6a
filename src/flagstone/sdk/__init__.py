"""What a plugin author imports: the hooks, and one small protocol per extension kind.

A plugin is a module or object with functions marked :data:`hookimpl`, announced by an entry point of the group
``flagstone``. Nothing here touches a database or starts a process: a plugin gets such abilities from the context it is
handed.
"""

from flagstone.contracts.actions import ActionExample, Idempotency
from flagstone.sdk.actions import Action, ActionContext, Inputs, Outputs, PlanContext, UndoNotPossible, Waiting
from flagstone.sdk.cards import CardContext, Rendered, UICard
from flagstone.sdk.files import Files, FileStat
from flagstone.sdk.forms import FormContext, FormField, FormOption
from flagstone.sdk.hooks import PROJECT, Deps, hookimpl, hookspec
from flagstone.sdk.kinds import EntityKind, RelationField
from flagstone.sdk.permissions import Permission
from flagstone.sdk.policies import Policy, PolicyCase
from flagstone.sdk.resources import (
    DriverContext,
    ResourceDefinition,
    ResourceDriver,
    ResourcePlan,
    ResourceRequest,
    ResourceStatus,
    ResourceType,
)
from flagstone.sdk.runtimes import (
    DeploymentSpec,
    ProcessHost,
    ProcessLimits,
    RolloutFailed,
    RunningProcess,
    Runtime,
    RuntimeContext,
    RuntimeStatus,
)
from flagstone.sdk.slices import NavItem, PaletteEntry, Slice
from flagstone.sdk.sources import (
    EntitySource,
    GitReader,
    ListingSource,
    SourceContext,
    SourceEntry,
    SourceFile,
    SourceListing,
    SourceSnapshot,
)
from flagstone.sdk.tools import ActionTools, CommandEnd, CommandLimits, HttpAnswer, HttpClient, Isolation

__all__ = [
    "PROJECT",
    "Action",
    "ActionContext",
    "ActionExample",
    "ActionTools",
    "CardContext",
    "CommandEnd",
    "CommandLimits",
    "DeploymentSpec",
    "Deps",
    "DriverContext",
    "EntityKind",
    "EntitySource",
    "FileStat",
    "Files",
    "FormContext",
    "FormField",
    "FormOption",
    "GitReader",
    "HttpAnswer",
    "HttpClient",
    "Idempotency",
    "Inputs",
    "Isolation",
    "ListingSource",
    "NavItem",
    "Outputs",
    "PaletteEntry",
    "Permission",
    "PlanContext",
    "Policy",
    "PolicyCase",
    "ProcessHost",
    "ProcessLimits",
    "RelationField",
    "Rendered",
    "ResourceDefinition",
    "ResourceDriver",
    "ResourcePlan",
    "ResourceRequest",
    "ResourceStatus",
    "ResourceType",
    "RolloutFailed",
    "RunningProcess",
    "Runtime",
    "RuntimeContext",
    "RuntimeStatus",
    "Slice",
    "SourceContext",
    "SourceEntry",
    "SourceFile",
    "SourceListing",
    "SourceSnapshot",
    "UICard",
    "UndoNotPossible",
    "Waiting",
    "hookimpl",
    "hookspec",
]
