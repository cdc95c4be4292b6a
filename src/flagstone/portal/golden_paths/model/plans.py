"""A plan, grouped for reading: what is made, changed and deleted, who may do it, and what cannot be said before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.plans import Change, Plan, PlannedStep
from flagstone.contracts.policy import Verdict

_GROUPS = (
    ("Repository", "folder-git-2", ("repository",)),
    ("Catalog", "layout-list", ("entity", "location")),
    ("Where it runs", "server", ("deployment", "release", "workload")),
    ("Resources", "database", ("resource",)),
    ("Files that exist already", "file-diff", ("file",)),
    ("Also", "list-checks", ("other",)),
)
_OPS = {"create": "Create", "change": "Change", "delete": "Delete", "run": "Run", "none": "Keep"}


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one sort, under a heading."""

    title: str
    icon: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether the caller may do what a step does."""

    step: str
    permission: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who must agree before it starts. ``refs`` are entity refs, ``words`` what else is named."""

    count: int
    refs: tuple[str, ...]
    words: tuple[str, ...]
    reason: str
    hours: float


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A plan as its page shows it."""

    groups: tuple[ChangeGroup, ...]
    doing: str
    """The whole in one line: "create 12 files and 1 repository, and change 2 files"."""
    permits: tuple[Permit, ...]
    notes: tuple[tuple[str, str], ...]
    """(step, what cannot be known before)."""
    skipped: tuple[str, ...]
    agreements: tuple[Agreement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """What the run would give at its end, as far as that is known: (title, address or reference)."""

    @property
    def sentence(self) -> str:
        """The whole as a sentence."""
        return f"This will {self.doing}"

    @property
    def denied(self) -> tuple[Verdict, ...]:
        """What a policy forbids."""
        return tuple(item for item in self.verdicts if item.severity == "deny")

    @property
    def forbidden(self) -> tuple[Permit, ...]:
        """What the caller may not do."""
        return tuple(item for item in self.permits if not item.allowed)


def op_word(op: str) -> str:
    """A change in one word."""
    return _OPS.get(op, op)


def read_plan(plan: Plan) -> PlanFacts:
    """Group a plan."""
    steps = [step for step in plan.steps if not step.skipped]
    # A file whose difference stands in the tree of files is not told twice.
    in_tree = {file.path for file in plan.files if file.before is not None or file.op != "create"}
    changes = [
        change
        for step in steps
        for change in step.changes
        if change.kind != "file" or (_tells(change) and change.subject not in in_tree)
    ]
    groups = []
    for title, icon, kinds in _GROUPS:
        found = tuple(change for change in changes if change.kind in kinds and change.op != "none")
        if found:
            groups.append(ChangeGroup(title, icon, found))
    return PlanFacts(
        groups=tuple(groups),
        doing=_doing(plan, changes),
        permits=tuple(_permits(steps)),
        notes=tuple((step.name, note) for step in steps for note in step.notes),
        skipped=tuple(step.name for step in plan.steps if step.skipped),
        agreements=tuple(_agreement(rule) for rule in plan.approvals),
        verdicts=plan.verdicts,
        links=tuple(_links(plan)),
    )


def _tells(change: Change) -> bool:
    """Whether a file has a difference to show; others are in the tree of files."""
    return any("\n" in value for value in change.facts.values())


def _agreement(rule: ApprovalRule) -> Agreement:
    refs = tuple(item for item in rule.of if not item.startswith("role:") and item != "owner")
    words = [f"those with the role {item.partition(':')[2]}" for item in rule.of if item.startswith("role:")]
    words += ["the owners"] if "owner" in rule.of else []
    return Agreement(rule.count, refs, tuple(words), rule.reason, rule.expires_hours)


def _links(plan: Plan) -> Iterable[tuple[str, str]]:
    links = plan.output.get("links")
    for item in links if isinstance(links, list) else ():
        target = (item.get("url") or item.get("entityRef")) if isinstance(item, dict) else None
        if isinstance(item, dict) and isinstance(target, str) and target:
            yield str(item.get("title") or target), target


def _permits(steps: Iterable[PlannedStep]) -> list[Permit]:
    return [Permit(step.name, step.permission, step.allowed, step.reason) for step in steps if step.permission]


def _doing(plan: Plan, changes: list[Change]) -> str:
    parts = [
        (verb, said)
        for verb, op in (("create", "create"), ("change", "change"), ("delete", "delete"))
        if (said := _counted(plan, changes, op))
    ]
    if not parts:
        return f"do {len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"
    return ", and ".join(f"{verb} {said}" for verb, said in parts)


def _counted(plan: Plan, changes: list[Change], op: str) -> str:
    counts = [
        (sum(file.op == op for file in plan.files), "file", "files"),
        (_number(changes, "repository", op), "repository", "repositories"),
        (_number(changes, "entity", op), "catalog entry", "catalog entries"),
        (_number(changes, "deployment", op), "deployment", "deployments"),
        (_number(changes, "resource", op), "resource", "resources"),
    ]
    said = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}" if said else ""


def _number(changes: list[Change], kind: str, op: str) -> int:
    return len({change.subject for change in changes if change.kind == kind and change.op == op})
