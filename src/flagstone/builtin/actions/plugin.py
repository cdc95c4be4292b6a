"""The plugin registers itself."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.actions.catalog import CatalogRegister, CatalogUnregister, CatalogWrite
from flagstone.builtin.actions.catalog_entities import CatalogDeleteEntity, CatalogFetch
from flagstone.builtin.actions.command import RunCommand
from flagstone.builtin.actions.cookiecutter import FetchCookiecutter
from flagstone.builtin.actions.debug import DebugLog
from flagstone.builtin.actions.fetch import FetchPlain, FetchPlainFile, FetchTemplate, FetchTemplateFile
from flagstone.builtin.actions.files import FsDelete, FsReaddir, FsRename
from flagstone.builtin.actions.http import HttpBackstageRequest, HttpRequest, clients
from flagstone.builtin.actions.permissions import PERMISSIONS
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.builtin.actions.utils_data import (
    Jsonata,
    JsonataJson,
    JsonataYaml,
    JsonMerge,
    Merge,
    SerializeJson,
    SerializeYaml,
    YamlMerge,
)
from flagstone.builtin.actions.utils_files import FsAppend, FsParse, FsReplace, FsWrite, Zip
from flagstone.builtin.actions.waiting import Ask, DebugWait, Sleep
from flagstone.sdk import Action, ActionTools, Deps, Slice, hookimpl


def actions(tools: ActionTools, settings: ActionsSettings) -> list[Action]:
    """One of each."""
    hosts, setting = clients(settings)
    client = tools.http(hosts, setting=setting)
    plain: tuple[type[Action], ...] = (
        FetchPlain,
        FetchPlainFile,
        FetchTemplate,
        FetchTemplateFile,
        FetchCookiecutter,
        FsDelete,
        FsRename,
        FsReaddir,
        DebugLog,
        DebugWait,
        Sleep,
        Ask,
        CatalogUnregister,
        CatalogFetch,
        CatalogDeleteEntity,
        FsWrite,
        FsAppend,
        FsReplace,
        Zip,
        SerializeJson,
    )
    return [
        *(kind() for kind in plain),
        CatalogWrite(tools),
        CatalogRegister(tools),
        FsParse(tools),
        SerializeYaml(tools),
        JsonMerge(tools),
        Merge(tools),
        YamlMerge(tools),
        Jsonata(tools),
        JsonataJson(tools),
        JsonataYaml(tools),
        HttpRequest(client, settings),
        HttpBackstageRequest(client, settings),
        RunCommand(tools, settings),
    ]


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """The permissions of the actions; the settings are read here, so that a wrong one is told at the start."""
    deps.settings("actions", ActionsSettings)
    return Slice("actions", room="platform", permissions=PERMISSIONS)


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """All actions of this package."""
    tools = deps.get(ActionTools)  # type: ignore[type-abstract]
    return actions(tools, deps.settings("actions", ActionsSettings))
