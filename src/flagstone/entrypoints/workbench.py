"""Golden paths without a server: a whole Flagstone in a folder that is thrown away, which only ever plans."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from flagstone.app.build import Application, build
from flagstone.app.rooms import load_settings
from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.portal.golden_paths import FormFieldRegistry, GoldenPathService, unregistered


class Workbench:
    """Plans templates that lie in files. Nothing is executed, stored or registered."""

    def __init__(self, app: Application) -> None:
        self._paths = app.deps.get(GoldenPathService)
        self.fields = frozenset(app.deps.get(FormFieldRegistry).controls)
        self._gateway: RunGateway = app.deps.get(RunGateway)  # type: ignore[type-abstract]

    def actions(self) -> dict[str, ActionSpec]:
        """What there is, by id."""
        return {spec.id: spec for spec in self._gateway.list_actions()}

    def plan(
        self,
        document: Mapping[str, Any],
        file: Path,
        values: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        user: str | None = None,
        entities: Sequence[Mapping[str, Any]] = (),
    ) -> Plan:
        """What a run with these answers would do. Raises Invalid for answers or a template that are refused."""
        path = unregistered(document, f"file:{file.resolve()}")
        hidden = {name: SecretStr(text) for name, text in (secrets or {}).items()}
        request = self._paths.request(path, values, hidden)
        if entities:
            known = {_ref(entity): dict(entity) for entity in entities}
            definition = request.workflow.model_copy(update={"entities": known})
            request = request.model_copy(update={"workflow": definition})
        actor = Principal("user", "user:workbench", "Workbench", role="admin", entity_ref=user, via="cli")
        return self._gateway.plan(request, actor)


@contextmanager
def workbench(folders: Sequence[Path]) -> Iterator[Workbench]:
    """A workbench whose templates may read what is in ``folders``."""
    logging.getLogger("flagstone").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="flagstone-templates-") as scratch:
        overrides = {
            "server.data_dir": scratch,
            "sources.allowed_folders": [str(folder.resolve()) for folder in folders],
        }
        app = build(load_settings(None, environ={}, overrides=overrides))
        try:
            app.migrate()
            # Environments are known once their slice has begun; nothing else is started.
            for item in app.slices:
                if item.name == "environments" and item.start is not None:
                    item.start()
            yield Workbench(app)
        finally:
            app.stop()


def _ref(entity: Mapping[str, Any]) -> str:
    metadata = entity.get("metadata") or {}
    return f"{entity.get('kind')}:{metadata.get('namespace') or 'default'}/{metadata.get('name')}".lower()
