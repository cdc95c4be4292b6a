"""Use cases of environments."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from flagstone.contracts.deployments import EnvironmentView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Problem
from flagstone.platform.environments.model import Environment, EnvironmentType, name_problem, title_of
from flagstone.platform.environments.permissions import READ, WRITE
from flagstone.platform.environments.ports import RuntimeRegistry
from flagstone.platform.environments.settings import EnvironmentsSettings
from flagstone.platform.environments.store import EnvironmentStore

log = logging.getLogger("flagstone.environments")

# Names for the types of answers: inside the class `list` is a method.
EnvironmentViews = list[EnvironmentView]
EnvironmentTypes = list[EnvironmentType]
Problems = list[Problem]

Counts = Callable[[], Mapping[str, int]]
"""How many deployments each environment has, by name."""


class EnvironmentService:
    """Environments in their order of promotion."""

    def __init__(
        self,
        store: EnvironmentStore,
        runtimes: RuntimeRegistry,
        settings: EnvironmentsSettings,
        access: AccessService,
        audit: PlatformAudit,
    ) -> None:
        self._store = store
        self._runtimes = runtimes
        self._settings = settings
        self._access = access
        self._audit = audit
        self._counts: Counts = dict

    def count_with(self, counts: Counts) -> None:
        """Let whoever deploys into environments say how many deployments each has."""
        self._counts = counts

    def list(self, actor: Principal) -> EnvironmentViews:
        """All environments, in order of promotion."""
        self._access.check(actor, READ)
        counts = self._counts()
        return [_view(item, counts.get(item.name, 0)) for item in self._store.list_environments()]

    def types(self, actor: Principal) -> EnvironmentTypes:
        """All environment types, in order of promotion."""
        self._access.check(actor, READ)
        return self._store.list_types()

    def get(self, name: str) -> Environment:
        """One environment. Raises NotFound with the names that there are."""
        found = self._store.get(name)
        if found is None:
            known = ", ".join(item.name for item in self._store.list_environments()) or "none"
            raise NotFound(
                "environments.not_found",
                f"There is no environment named {name!r}.",
                hint=f"Known environments: {known}.",
            )
        return found

    def fits(self, name: str, environment_type: str, runtime: str) -> bool:
        """Whether there is such an environment already; False when it could be added.

        Raises Conflict when there is another one of the name, Invalid for a bad name, type or runtime.
        """
        found = self._store.get(name)
        if found is None:
            problems = self._problems(name, environment_type, runtime)
            if problems:
                raise Invalid("environments.invalid", f"The environment {name!r} cannot be added.", problems=problems)
            return False
        if (found.type, found.runtime) != (environment_type, runtime):
            raise Conflict(
                "environments.name_taken",
                f"There is an environment named {name!r} already, of type {found.type} on runtime {found.runtime}.",
                hint="Choose another name.",
            )
        return True

    def later(self, name: str, than: str) -> bool:
        """Whether an environment comes after another one in the order of promotion. Raises NotFound."""
        order = {item.name: place for place, item in enumerate(self._store.list_types())}
        return order[self.get(name).type] > order[self.get(than).type]

    def create(
        self,
        actor: Principal,
        *,
        name: str,
        environment_type: str,
        runtime: str,
        title: str = "",
        description: str = "",
    ) -> EnvironmentView:
        """Add an environment. Raises Invalid for a bad name, type or runtime, Conflict when the name is taken."""
        self._access.check(actor, WRITE, resource=f"environment:{name}")
        problems = self._problems(name, environment_type, runtime)
        if problems:
            raise Invalid("environments.invalid", f"The environment {name!r} cannot be added.", problems=problems)
        with self._store.db.write():
            if self._store.get(name) is not None:
                raise Conflict("environments.name_taken", f"There is an environment named {name!r} already.")
            item = Environment(
                name=name,
                type=environment_type,
                title=title or title_of(name),
                description=description,
                runtime=runtime,
                position=self._store.next_position(environment_type),
                origin="api",
            )
            self._store.create(item)
            detail = {"type": environment_type, "runtime": runtime}
            self._audit.record(actor, "environments.environment.create", f"environment:{name}", detail=detail)
        return _view(item, 0)

    def sync(self) -> None:
        """Make the tables say what the settings say. Called at every start.

        An environment that left the settings is deleted unless something is deployed to it. Raises Invalid when the
        settings name a type or runtime that does not exist.
        """
        wanted_types = [
            EnvironmentType(entry.name, entry.title or title_of(entry.name), entry.description, position, "settings")
            for position, entry in enumerate(self._settings.types)
        ]
        wanted = [
            Environment(
                entry.name,
                entry.type,
                entry.title or title_of(entry.name),
                entry.description,
                entry.runtime,
                position,
                "settings",
            )
            for position, entry in enumerate(self._settings.environments)
        ]
        self._check_settings()
        with self._store.db.write():
            self._store.put_types(wanted_types)
            self._store.put_environments(wanted)
            self._forget({item.name for item in wanted}, {item.name for item in wanted_types})

    def _forget(self, names: set[str], type_names: set[str]) -> None:
        counts = self._counts()
        gone = [
            item for item in self._store.list_environments() if item.origin == "settings" and item.name not in names
        ]
        for item in gone:
            if counts.get(item.name):
                log.warning(
                    "environment %s left the settings, but has %d deployments: it stays until they are removed",
                    item.name,
                    counts[item.name],
                )
        self._store.delete_environments([item.name for item in gone if not counts.get(item.name)])
        used = {item.type for item in self._store.list_environments()}
        unused = [item.name for item in self._store.list_types() if item.name not in type_names | used]
        self._store.delete_types(unused)

    def _check_settings(self) -> None:
        known_types = {entry.name for entry in self._settings.types}
        problems: Problems = []
        for field, names in (
            ("environments.types", [entry.name for entry in self._settings.types]),
            ("environments.environments", [entry.name for entry in self._settings.environments]),
        ):
            for index, name in enumerate(names):
                where = f"{field}.{index}.name"
                fault = name_problem(name, field=where)
                if fault:
                    problems.append(fault)
                if name in names[:index]:
                    problems.append(Problem(f"{name!r} is listed twice", field=where))
        for index, entry in enumerate(self._settings.environments):
            if entry.type not in known_types:
                problems.append(_no_type(entry.type, f"environments.environments.{index}.type", known_types))
        if problems:
            raise Invalid(
                "environments.bad_settings", "The settings of the environments are not valid.", problems=problems
            )

    def _problems(self, name: str, type_name: str, runtime: str) -> Problems:
        problems = []
        fault = name_problem(name, field="name")
        if fault:
            problems.append(fault)
        known_types = {item.name for item in self._store.list_types()}
        if type_name not in known_types:
            problems.append(_no_type(type_name, "type", known_types))
        if runtime not in self._runtimes.names():
            known = ", ".join(self._runtimes.names()) or "none"
            problems.append(
                Problem(f"there is no runtime {runtime!r}", field="runtime", hint=f"Known runtimes: {known}.")
            )
        return problems


def _no_type(name: str, field: str, known: set[str]) -> Problem:
    hint = f"Known types: {', '.join(sorted(known)) or 'none'}."
    return Problem(f"there is no environment type {name!r}", field=field, hint=hint)


def _view(item: Environment, deployments: int) -> EnvironmentView:
    return EnvironmentView(
        name=item.name,
        type=item.type,
        title=item.title,
        description=item.description,
        runtime=item.runtime,
        deployments=deployments,
    )
