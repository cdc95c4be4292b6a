"""Entity references: ``[kind:][namespace/]name``, with the rules of Backstage's catalog model.

Parsing keeps the case and the text as given; :meth:`EntityRef.__str__` is the canonical form, all lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.kernel.errors import Invalid

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class EntityRef:
    """A parsed reference. Two refs that differ only in case name the same entity: compare ``str(ref)``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}".lower()

    @property
    def path(self) -> str:
        """``kind/namespace/name`` in lower case, as in page URLs."""
        return f"{self.kind}/{self.namespace}/{self.name}".lower()


def parse_ref(text: str, *, default_kind: str | None = None, default_namespace: str | None = None) -> EntityRef:
    """Parse a reference.

    Raises Invalid (``refs.bad_ref``) when a part is present but empty, or the kind is missing and has no default.
    """
    colon, slash = text.find(":"), text.find("/")
    kind: str | None = None
    rest = text
    if colon != -1 and (slash == -1 or colon < slash):
        kind, rest = text[:colon], text[colon + 1 :]
    namespace: str | None = None
    slash = rest.find("/")
    if slash != -1:
        namespace, rest = rest[:slash], rest[slash + 1 :]
    if kind == "" or namespace == "" or rest == "":
        raise Invalid(
            "refs.bad_ref", f"The entity reference {text!r} has an empty part.", hint="Write kind:namespace/name."
        )
    kind = kind or default_kind
    if not kind:
        raise Invalid("refs.bad_ref", f"The entity reference {text!r} has no kind.", hint="Write kind:namespace/name.")
    return EntityRef(kind, namespace or default_namespace or DEFAULT_NAMESPACE, rest)
