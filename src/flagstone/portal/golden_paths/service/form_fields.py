"""The registry of fields that plugins bring to forms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.sdk import FormField
from flagstone.toolkit.web.forms.widgets import FIELDS, PLUGIN_WIDGETS


class FormFieldRegistry:
    """Filled at the start, frozen then."""

    def __init__(self) -> None:
        self._fields: dict[str, tuple[FormField, str]] = {}
        self._frozen = False

    def add(self, field: FormField, plugin: str) -> None:
        """Add one. Raises Conflict for a name that is taken, Invalid for an unknown control."""
        taken = "flagstone" if field.id in FIELDS else self._fields.get(field.id, (None, ""))[1]
        if taken or self._frozen:
            raise Conflict(
                "golden_paths.field_twice",
                f"The form field {field.id} of {plugin} comes too late or is there already, from {taken or 'nobody'}.",
                hint="Give it another name, or remove one of the plugins.",
            )
        if field.control not in PLUGIN_WIDGETS:
            raise Invalid(
                "golden_paths.bad_field",
                f"The form field {field.id} of {plugin} wants the control {field.control!r}.",
                hint=f"There are: {', '.join(PLUGIN_WIDGETS)}.",
            )
        self._fields[field.id] = (field, plugin)

    def freeze(self) -> None:
        """End registration."""
        self._frozen = True

    def find(self, name: str) -> FormField | None:
        """A field by its name in ``ui:field``."""
        found = self._fields.get(name)
        return found[0] if found else None

    @property
    def controls(self) -> Mapping[str, str]:
        """Control of each field, by name: what the form engine needs to know."""
        return MappingProxyType({name: str(field.control) for name, (field, _) in self._fields.items()})
