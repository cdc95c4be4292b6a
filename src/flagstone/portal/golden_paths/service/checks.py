"""The template checker over what the catalog and the platform know: actions, fields of plugins, lines of the file."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.errors import FlagstoneError, Invalid
from flagstone.portal.catalog import IngestService
from flagstone.portal.golden_paths.model import GoldenPath
from flagstone.portal.golden_paths.model.checking import Finding, check_template, located
from flagstone.portal.golden_paths.service.form_fields import FormFieldRegistry
from flagstone.toolkit.yaml import Document, read_yaml

_KEPT = 200
_MAX_TEXT = 2_000_000


class TemplateChecks:
    """Checks templates; what was found is kept by version."""

    def __init__(self, gateway: RunGateway, registry: FormFieldRegistry, ingest: IngestService | None = None) -> None:
        self._gateway = gateway
        self._registry = registry
        self._ingest = ingest
        self._kept: OrderedDict[str, list[Finding]] = OrderedDict()
        self._lock = Lock()

    def errors(self, path: GoldenPath) -> list[Finding]:
        """Why a golden path cannot be run as it is written; actions are left to the platform."""
        with self._lock:
            known = self._kept.get(path.version)
        if known is None:
            known = check_template(path.document, None, self._registry.controls)
            with self._lock:
                self._kept[path.version] = known
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return [item for item in known if item.severity == "error"]

    def of(self, path: GoldenPath) -> list[Finding]:
        """Everything that is wrong with a golden path, with lines where its file can be read."""
        found = check_template(path.document, self.actions(), self._registry.controls)
        document = self._file(path) if found else None
        if document is None:
            return found
        return located(found, document.line_of, path.file)

    def of_text(self, text: str, file: str = "template.yaml") -> list[Finding]:
        """Every template in a file. Raises Invalid for what cannot be read or holds none."""
        if len(text) > _MAX_TEXT:
            raise Invalid("golden_paths.too_large", f"{file:.200} is longer than {_MAX_TEXT:,} characters.")
        return check_text(text, file, self.actions(), self._registry.controls)

    def actions(self) -> dict[str, ActionSpec] | None:
        """What the platform can do; None when it cannot be asked."""
        try:
            return {spec.id: spec for spec in self._gateway.list_actions()} or None
        except FlagstoneError:
            return None

    def _file(self, path: GoldenPath) -> Document | None:
        if self._ingest is None:
            return None
        try:
            content = self._ingest.beside(path.base, PurePosixPath(path.base.partition(":")[2]).name)
        except FlagstoneError:
            return None
        documents = read_yaml(content, name=path.file).documents
        return next((item for item in documents if _name(item.value) == path.name.lower()), None)


def check_text(text: str, file: str, actions: dict[str, ActionSpec] | None, fields: Any = ()) -> list[Finding]:
    """Every template in a file, with lines. Raises Invalid when it cannot be read or holds none."""
    read = read_yaml(text, name=file)
    found = [Finding("error", "yaml", item.message, (), item.hint or "", file, item.line) for item in read.problems]
    templates = [
        item for item in read.documents if isinstance(item.value, dict) and item.value.get("kind") == "Template"
    ]
    if not templates and not found:
        raise Invalid("golden_paths.no_template_document", f"There is no template in {file:.200}.")
    for document in templates:
        assert isinstance(document.value, dict)
        found += located(check_template(document.value, actions, fields), document.line_of, file)
    return found


def _name(value: Any) -> str:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return str(metadata.get("name")).lower() if isinstance(metadata, dict) else ""
