"""What an action is handed: its workspace, sources, log, and the decisions about its actor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.platform.runs.model import Wait
from flagstone.platform.runs.service.failing import remembered
from flagstone.platform.runs.service.files import RootFiles
from flagstone.platform.runs.service.originals import Originals
from flagstone.platform.runs.service.sources import Reading, Sources
from flagstone.platform.runs.service.workspaces import Workspace
from flagstone.sdk import Files
from flagstone.toolkit.files import GlobSet, split_path
from flagstone.toolkit.templating import TreeOptions, render_file, render_tree

Write = Callable[[str, str], None]
"""(text, level): a line of the log."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and for whom a step works: the same for planning and running."""

    run_id: str
    step_id: str
    actor: Principal
    owner: str | None
    files: Workspace
    reading: Reading
    sources: Sources
    access: AccessService


class StepContext:
    """What planning and running share; see ``flagstone.sdk.actions.BaseContext``."""

    def __init__(self, place: Place, write: Write) -> None:
        self.run_id = place.run_id
        self.step_id = place.step_id
        self.actor = place.actor
        self.owner = place.owner
        self.template_ref = place.reading.workflow.template_ref
        self.workspace: Files = place.files.files
        self._place = place
        self._write = write

    def log(self, text: str, *, level: str = "info") -> None:
        """Write to the log."""
        self._write(text, level)

    def source(self, url: str) -> Files:
        """Read-only files behind a step's url."""
        return self._place.sources.open(url, self._place.reading)

    def render_tree(self, source: Files, values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
        """Render a skeleton into the workspace; returns the paths written, sorted."""
        if not isinstance(source, RootFiles):
            raise Invalid("runs.bad_source", "Only what ctx.source() gave can be rendered.")
        prefix = "/".join(split_path(str(options.get("target_path") or "")))
        replace = bool(options.get("replace", False))
        left_out = GlobSet(tuple(options.get("leave_out") or ()))
        written: list[str] = []
        for made in render_tree(source.tree(), dict(values), _tree_options(options)):
            path = f"{prefix}/{made.path}".strip("/")
            if left_out.matches(made.source):
                continue
            if made.content is None:
                self.workspace.mkdir(path)
            elif replace or not self.workspace.exists(path):
                self.workspace.write(path, made.content, executable=made.executable)
                written.append(path)
            else:
                self.log(f"{path} exists already and is kept (set replace to overwrite it).")
        return sorted(written)

    def render_text(self, text: str, values: Mapping[str, Any], options: Mapping[str, Any], *, name: str = "") -> str:
        """Render the contents of one file."""
        how = _tree_options(options)
        return render_file(
            text,
            {"cookiecutter" if how.cookiecutter else "values": dict(values)},
            name=name or None,
            trim_blocks=how.trim_blocks,
            lstrip_blocks=how.lstrip_blocks,
            cookiecutter=how.cookiecutter,
        )

    def original(self, path: str) -> bytes | None:
        """The content as it is: nothing has changed it in this step yet, as planning begins only once."""
        return self.workspace.read_bytes(path) if self.workspace.exists(path) else None

    def entity(self, ref: str) -> Mapping[str, Any] | None:
        """What the request says of an entity."""
        found = self._place.reading.workflow.entities.get(ref.lower())
        return found if isinstance(found, dict) else None

    def check(self, permission: str, *, owner: str | None = None) -> None:
        """Decide for the actor. Raises Denied.

        The owner in the request is what the caller says; it never stands in for an owner that the action did not find.
        """
        self._place.access.check(self.actor, permission, owner=owner, resource=f"run:{self.run_id}")


def _tree_options(options: Mapping[str, Any]) -> TreeOptions:
    extension = options.get("template_file_extension")
    return TreeOptions(
        copy_without_templating=tuple(options.get("copy_without_templating") or ()),
        template_file_extension=".njk" if extension is True else (str(extension) if extension else None),
        cookiecutter=bool(options.get("cookiecutter_compat")),
        trim_blocks=bool(options.get("trim_blocks")),
        lstrip_blocks=bool(options.get("lstrip_blocks")),
    )


class RunContext(StepContext):
    """Running; see ``flagstone.sdk.ActionContext``.

    After :meth:`close` it takes nothing more: an action that was left behind must not write into a run that went on.
    """

    def __init__(
        self,
        place: Place,
        write: Write,
        *,
        step_key: str,
        attempt: int,
        secrets: Mapping[str, str],
        stop: threading.Event,
        repeated: bool = False,
    ) -> None:
        super().__init__(place, self._log_while_open)
        self.repeated = repeated
        self.step_key = step_key
        self.attempt = attempt
        self.secrets = secrets
        self.emitted: list[tuple[str, str, dict[str, Any]]] = []
        self.linked: list[str] = []
        self.answer: Mapping[str, Any] | None = None
        self.memory: Mapping[str, Any] = {}
        self.noticed_stop = False
        """The action was told to stop: when it then returns, it did so for that reason."""
        self.stop_event = stop
        self._closed = False
        self._log = write

    def resume(self, wait: Wait | None) -> None:
        """Hand over what the step remembered when it began to wait, and what it was answered."""
        found = remembered(wait)
        self.memory, self.answer = found["memory"], found["answer"]

    def emit(self, event_type: str, subject: str, data: Mapping[str, Any]) -> None:
        """Add an event, written with the step's result."""
        self._while_open()
        self.emitted.append((event_type, subject, dict(data)))

    def original(self, path: str) -> bytes | None:
        """The content when this step first began, kept beside the workspace until a later step keeps one."""
        return Originals(self._place.files.scratch, self.step_key).get(self.workspace, path)

    def cancelled(self) -> bool:
        """Whether to stop."""
        if self.stop_event.is_set():
            self.noticed_stop = True
        return self.noticed_stop

    def link(self, entity_ref: str) -> None:
        """The run is about that entity, too."""
        self._while_open()
        self.linked.append(entity_ref.lower())

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True

    def _log_while_open(self, text: str, level: str) -> None:
        if not self._closed:
            self._log(text, level)

    def _while_open(self) -> None:
        if self._closed:
            raise Conflict("runs.step_left", f"The step {self.step_id} was given up; what it does no longer counts.")
