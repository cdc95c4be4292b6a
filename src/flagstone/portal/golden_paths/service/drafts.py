"""Drafts: what somebody filled in, kept on the server until it becomes a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from flagstone.contracts.plans import Plan
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Denied, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.portal.golden_paths.model import Draft, GoldenPath
from flagstone.portal.golden_paths.service.paths import MAX_VALUES, GoldenPathService
from flagstone.portal.golden_paths.service.prefill import fitting
from flagstone.portal.golden_paths.store import DraftStore

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_PURGE = 20


class DraftService:
    """Drafts belong to one person; nobody else sees or changes them. Secrets go into the vault, never into a draft."""

    def __init__(
        self,
        store: DraftStore,
        paths: GoldenPathService,
        vault: VaultService,
        audit: AuditLog,
        *,
        days: float = 30,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._paths = paths
        self._vault = vault
        self._audit = audit
        self._life = timedelta(days=days)
        self._now = now

    def find(self, principal: Principal, path: GoldenPath, draft_id: str | None) -> Draft | None:
        """A draft of this person for this template; None when it is gone. Raises Denied for another's."""
        draft = self._store.get(draft_id) if draft_id and _ID.match(draft_id) else None
        if draft is None:
            return None
        if draft.user_id != principal.id:
            self._audit.record(principal, "golden_paths.draft.read", f"draft:{draft.id}", outcome="denied")
            raise Denied(
                "golden_paths.not_your_draft",
                "This draft belongs to somebody else.",
                hint=f"Start one of your own at {path.href}.",
            )
        expired = draft.updated_at is not None and draft.updated_at < self._now() - self._life
        return None if expired or draft.template_ref != path.ref else draft

    def begin(
        self,
        principal: Principal,
        path: GoldenPath,
        draft_id: str | None,
        prefill: str = "",
        rerun_of: str = "",
        entity_ref: str = "",
    ) -> Draft:
        """A draft that is not stored yet, with the answers that an address brought along (``formData``, JSON)."""
        ident = draft_id if draft_id and _ID.match(draft_id) and self._store.get(draft_id) is None else new_id()
        given = fitting(path, prefill, MAX_VALUES)
        return Draft(
            ident, principal.id, path.ref, path.version, given, rerun_of=rerun_of or None, entity_ref=entity_ref or None
        )

    def mine(self, principal: Principal, limit: int = 5) -> list[Draft]:
        """Drafts that a person may want to go on with."""
        return self._store.open_drafts(principal.id, self._now() - self._life, limit)

    def save(
        self,
        path: GoldenPath,
        draft: Draft,
        values: Mapping[str, Any],
        step: int,
        secrets: Mapping[str, str] | None = None,
    ) -> Draft:
        """Keep what was filled in. Raises Invalid when it is too much."""
        if len(json.dumps(values, default=str)) > MAX_VALUES:
            raise Invalid(
                "golden_paths.too_large", "The answers are too long to be kept.", hint="Shorten the longest text."
            )
        now = self._now()
        if draft.created_at is None:
            self._purge()
        changed = replace(
            draft,
            values=dict(values),
            secrets=tuple(sorted({*draft.secrets, *(secrets or ())})),
            step=step,
            version=path.version,
            created_at=draft.created_at or now,
            updated_at=now,
        )
        with self._store.db.write():
            if secrets:
                kept = {**self._texts(draft), **secrets}
                self._vault.put(draft.vault_name, SecretStr(json.dumps(kept)))
            self._store.save(changed)
        return changed

    def discard(self, principal: Principal, path: GoldenPath, draft_id: str) -> None:
        """Throw a draft away. Raises Denied for another's."""
        draft = self.find(principal, path, draft_id)
        if draft is not None:
            self._forget(draft)
            self._store.delete(draft.id)

    def plan(self, principal: Principal, path: GoldenPath, draft: Draft) -> Plan:
        """The plan of a draft."""
        return self._paths.plan(principal, path, draft.values, self._secrets(draft), entity_ref=draft.entity_ref)

    def start(self, principal: Principal, path: GoldenPath, draft: Draft, plan_digest: str | None) -> str:
        """Make a run of it and return its id or number; a draft becomes one run, however often this is asked for."""
        if draft.run_id:
            return draft.run_id
        run = self._paths.start(
            principal,
            path,
            draft.values,
            self._secrets(draft),
            plan_digest=plan_digest,
            key=f"draft:{draft.id}",
            rerun_of=draft.rerun_of,
            entity_ref=draft.entity_ref,
        )
        self._store.became(draft.id, run.id)
        self._forget(draft)
        return str(run.number)

    def _texts(self, draft: Draft) -> dict[str, str]:
        if not draft.secrets:
            return {}
        try:
            found: dict[str, str] = json.loads(self._vault.use(draft.vault_name, purpose="golden path"))
        except NotFound:
            return {}
        return found

    def _secrets(self, draft: Draft) -> dict[str, SecretStr]:
        # A template knows them by the name of the field, wherever in the form it stands.
        return {name.rsplit("/", 1)[-1]: SecretStr(text) for name, text in self._texts(draft).items()}

    def _forget(self, draft: Draft) -> None:
        if draft.secrets:
            try:
                self._vault.delete(draft.vault_name)
            except NotFound:
                return

    def _purge(self) -> None:
        for old in self._store.expired(self._now() - self._life, _PURGE):
            self._forget(old)
            self._store.delete(old.id)
