"""Which components are behind their golden path, and the run that brings one up to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, RunView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.portal.catalog import CatalogService, Entity
from flagstone.portal.golden_paths import GoldenPath, GoldenPathService
from flagstone.portal.upgrades.model import Memory, memories_of, proposed_by, upgrade_workflow
from flagstone.portal.upgrades.permissions import OPEN
from flagstone.portal.upgrades.store import UpgradeStore
from flagstone.toolkit.web.forms import settle

_READER = system("portal")
_TELLING = frozenset({"succeeded", "waiting", "failed", "cancelled"})
"""States of runs that something can be learned from: one that waits for a pull request has proposed it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where something stands that a golden path made. ``path`` is None when the template left the catalog."""

    memory: Memory
    entity: Entity | None
    path: GoldenPath | None
    behind: int
    """How many versions; 0 is the current one."""

    @property
    def href(self) -> str:
        """Its page."""
        return f"/upgrades/{self.memory.entity_ref.replace(':', '/', 1)}"

    @property
    def title(self) -> str:
        """The name of the entity, for people."""
        return self.entity.title if self.entity else self.memory.entity_ref.rpartition("/")[2]

    @property
    def change_href(self) -> str | None:
        """The page of the change request that is open."""
        pending = self.memory.pending
        if pending is None:
            return None
        return pending.url or f"/repositories/{self.memory.repository}/changes/{pending.number}"

    @property
    def change_word(self) -> str:
        """What such a change is called where it is."""
        return "Pull request" if self.memory.elsewhere else "Change request"

    @property
    def word(self) -> str:
        """How far behind, in words."""
        if self.path is None:
            return "the golden path is gone"
        if not self.behind:
            return "current"
        return f"{self.behind} version{'' if self.behind == 1 else 's'} behind"


class UpgradeService:
    """Reads what runs made from the platform's events; asks the platform for upgrades through the gateway."""

    def __init__(
        self,
        store: UpgradeStore,
        paths: GoldenPathService,
        catalog: CatalogService,
        gateway: RunGateway,
        access: AccessService,
        audit: AuditLog,
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._paths = paths
        self._catalog = catalog
        self._gateway = gateway
        self._access = access
        self._audit = audit
        self._now = now

    def handle(self, event: Event) -> None:
        """Learn from an event of the platform; any number of times is as good as once."""
        data = event.data
        if event.type == "run.changed" and data.get("state") in _TELLING and data.get("template_ref"):
            try:
                self.learn(self._gateway.get_run(event.subject, _READER))
            except NotFound:
                return  # tidied away since
        elif event.type in ("repository.change.merged", "repository.change.closed"):
            number = data.get("number")
            if isinstance(number, int):
                self._store.ended(str(data["repository"]), number, merged=event.type.endswith("merged"))
        elif event.type == "repository.deleted":
            self._store.forget_repository(str(data["repository"]))

    def learn(self, run: RunView) -> None:
        """Remember what a run made or proposed."""
        proposed = proposed_by(run)
        if proposed is not None:
            self._store.propose(proposed)
            if proposed.ended is not None and proposed.number is not None:
                self._store.ended(proposed.repository, proposed.number, merged=proposed.ended)
        made = memories_of(run)
        if made:
            self._store.remember(made)
            self._current(made[0].template_ref)

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def may_open(self, principal: Principal, standing: Standing) -> bool:
        """Whether a person may upgrade it."""
        owner = standing.entity.owner if standing.entity else None
        return self._access.decide(principal, OPEN, owner=owner).allowed

    def find(self, ref: str) -> Standing | None:
        """Where an entity stands; None when no golden path of here made it."""
        memory = self._store.get(ref.lower())
        if memory is None:
            return None
        return self._standing(memory, self._catalog.find(memory.entity_ref), self._current(memory.template_ref))

    def get(self, ref: str) -> Standing:
        """The same. Raises NotFound."""
        found = self.find(ref)
        if found is None:
            raise NotFound(
                "upgrades.not_made_here",
                f"Nothing is known of a golden path that made {ref:.200}.",
                hint="Only what golden paths published to the built-in git hosting or to GitHub is remembered.",
            )
        return found

    def page(
        self,
        *,
        template_ref: str | None = None,
        behind: bool = False,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Standing]:
        """A page of what golden paths made, by entity ref; ``behind``: only what is not at the current version."""
        size = clamp_limit(limit)
        after = str(decode_cursor(cursor)[0]) if cursor else ""
        refs = [template_ref] if template_ref else list(self._store.templates())
        current = {ref: self._current(ref) for ref in refs}
        known = {ref: path.version for ref, path in current.items() if path is not None}
        found = self._store.page(after, size + 1, template_ref=template_ref, current=known if behind else None)
        entities = self._catalog.get_many([memory.entity_ref for memory in found[:size]])
        following = encode_cursor(found[size - 1].entity_ref) if len(found) > size else None
        return Page(
            tuple(
                self._standing(memory, entities.get(memory.entity_ref), current.get(memory.template_ref))
                for memory in found[:size]
            ),
            following,
        )

    def templates(self) -> dict[str, int]:
        """Golden paths that made something, with how much."""
        return self._store.templates()

    def asked(self, standing: Standing, given: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        """The pages of the form, reduced to what the remembered answers leave open: what is new, missing or wrong, and
        secrets. Each with its number.
        """
        path = self._need(standing)
        values = {**standing.memory.inputs, **given}
        wrong = {fault.name.partition("/")[0] for page in self._paths.faults(path, values) for fault in page}
        found = []
        for number, page in enumerate(path.pages):
            schema, _ = settle(page, values)
            rules = {
                name: rule
                for name, rule in schema["properties"].items()
                if name in wrong or name not in standing.memory.inputs
            }
            if rules:
                required = [name for name in schema.get("required", ()) if name in rules]
                found.append((number, {**schema, "properties": rules, "required": required}))
        return found

    def plan(self, principal: Principal, ref: str, given: Mapping[str, Any], secrets: Mapping[str, SecretStr]) -> Plan:
        """What the upgrade would change; no branch is made. Raises Invalid, Denied, NotFound, Unavailable."""
        request = self._request(principal, self.get(ref), given, secrets)
        return self._gateway.plan(request, principal)

    def open(
        self,
        principal: Principal,
        ref: str,
        given: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        *,
        plan_digest: str | None = None,
        key: str | None = None,
    ) -> RunView:
        """Start the run that proposes the upgrade. Raises Conflict when the plan is not the one that was seen."""
        standing = self.get(ref)
        request = self._request(principal, standing, given, secrets)
        asked = {"plan_digest": plan_digest, "idempotency_key": f"upgrade:{standing.memory.entity_ref}:{key}"}
        run = self._gateway.submit(request.model_copy(update=asked if key else {"plan_digest": plan_digest}), principal)
        self._audit.record(principal, OPEN, standing.memory.entity_ref, detail={"run": run.id, "number": run.number})
        return run

    def _request(
        self, principal: Principal, standing: Standing, given: Mapping[str, Any], secrets: Mapping[str, SecretStr]
    ) -> RunRequest:
        path, memory = self._need(standing), standing.memory
        owner = standing.entity.owner if standing.entity else None
        self._access.check(principal, OPEN, owner=owner, resource=memory.entity_ref)
        wanted = self._paths.request(path, {**memory.inputs, **given}, secrets, principal=principal)
        title = f"Upgrade {standing.title} to the newest {path.title}"
        text = (
            f"Made from **{path.title}** by run {memory.run_number}."
            " What the golden path gives now is merged with what was changed here since."
        )
        definition = upgrade_workflow(wanted.workflow, memory, title, text)
        return wanted.model_copy(update={"workflow": definition, "subjects": (memory.entity_ref,), "owner": owner})

    def _need(self, standing: Standing) -> GoldenPath:
        if standing.path is None:
            raise NotFound(
                "upgrades.template_gone",
                f"The golden path {standing.memory.template_ref} is not in the catalog any more.",
                hint="Register its file again.",
            )
        return standing.path

    def _current(self, template_ref: str) -> GoldenPath | None:
        namespace, _, name = template_ref.partition(":")[2].partition("/")
        try:
            path = self._paths.get(namespace, name)
        except FlagstoneError:
            return None
        if path.version not in self._store.versions(template_ref):
            self._store.saw(template_ref, path.version, self._now())
        return path

    def _standing(self, memory: Memory, entity: Entity | None, path: GoldenPath | None) -> Standing:
        if path is None or path.version == memory.version:
            return Standing(memory, entity, path, 0)
        seen = self._store.versions(memory.template_ref)
        later = len(seen) - 1 - seen.index(memory.version) if memory.version in seen else 1
        return Standing(memory, entity, path, max(1, later))
