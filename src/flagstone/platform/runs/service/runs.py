"""Starting, seeing, cancelling and retrying runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from pydantic import SecretStr

from flagstone.contracts.gateway import RunQuery
from flagstone.contracts.runs import RunEvent, RunRequest, RunSummary, RunView, StepDefinition
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page
from flagstone.platform.runs.model import RETRYABLE, RunRecord, StepRecord, canonical, digest, execution_id
from flagstone.platform.runs.permissions import CANCEL, READ, RETRY, START
from flagstone.platform.runs.service.dispatcher import Dispatcher
from flagstone.platform.runs.service.executor import Executor
from flagstone.platform.runs.service.following import Followers
from flagstone.platform.runs.service.ownership import check_own
from flagstone.platform.runs.service.recording import Recorder
from flagstone.platform.runs.service.registry import ActionRegistry
from flagstone.platform.runs.service.retrying import plan_retry
from flagstone.platform.runs.service.secrets import RunSecrets
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import EventStore
from flagstone.toolkit.signals import Signals

_PAGE = 1000


class RunService:
    """Every method with an ``actor`` decides for it."""

    def __init__(
        self,
        recorder: Recorder,
        events: EventStore,
        executor: Executor,
        dispatcher: Dispatcher,
        secrets: RunSecrets,
        registry: ActionRegistry,
        *,
        access: AccessService,
        audit: AuditLog,
        signals: Signals,
        settings: RunsSettings,
    ) -> None:
        self._recorder = recorder
        self._runs = recorder.runs
        self._events = events
        self._executor = executor
        self._dispatcher = dispatcher
        self._secrets = secrets
        self._registry = registry
        self._access = access
        self._audit = audit
        self._followers = Followers(recorder.runs, events, signals)
        self._settings = settings

    def start(self, request: RunRequest, actor: Principal, *, asked_as: RunRequest | None = None) -> RunView:
        """Store a run and have it executed. The request must have been validated (see ``workflows``).

        ``asked_as`` is the request as it came in, when the platform added to it; by it the same request is known again.
        The same idempotency key of the same actor gives the run it gave before. Raises Denied; Conflict when the key
        was used for something else; Invalid when the request is too large.
        """
        self._access.check(actor, START, owner=request.owner)
        as_it_came = asked_as or request
        asked = _asked(as_it_came)
        known = self.known(as_it_came, actor)
        if known is not None:
            return known
        self._check_size(request)
        run_id = new_id()
        names = self._secrets.store(run_id, request.secrets, actor)
        try:
            stored = self._insert(run_id, request, actor, names, asked)
        except BaseException:
            self._secrets.discard(run_id, names)
            raise
        if stored is None:
            self._secrets.discard(run_id, names)
            again = self.known(as_it_came, actor)
            if again is None:
                raise Conflict(
                    "runs.key_in_use", "The idempotency key is being used at this moment.", hint="Try again."
                )
            return again
        return self._view(stored)

    def known(self, request: RunRequest, actor: Principal) -> RunView | None:
        """The run that this actor started with the same idempotency key; None when there is none.

        Raises Conflict when that run is another one.
        """
        if not request.idempotency_key:
            return None
        found = self._runs.by_key(actor.id, request.idempotency_key)
        if found is None:
            return None
        record, before = found
        if before != _asked(request):
            raise Conflict(
                "runs.key_reused",
                f"The idempotency key {request.idempotency_key!r} was used for another run, number {record.number}.",
                hint="Use a new key for a new run.",
            )
        return self._view(record)

    def states(self, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """(state, what went wrong) of many runs at once, by id, for other slices of the platform."""
        return self._runs.states_of(run_ids)

    def asked_for(self, run_id: str) -> tuple[RunRequest, Principal]:
        """What a run was started with and for whom, for other slices of the platform; the values of secrets are left
        out. Raises NotFound.
        """
        record = self._runs.get(run_id)
        if record is None:
            raise NotFound("runs.not_found", f"There is no run {run_id!r}.")
        request = RunRequest(
            workflow=record.workflow,
            inputs=dict(record.inputs),
            secrets={name: SecretStr("") for name in record.secrets},
            subjects=record.subjects,
            owner=record.owner,
            trigger=record.trigger,
            triggered_by=record.triggered_by,
            rerun_of=record.rerun_of,
        )
        return request, record.principal

    def _check_size(self, request: RunRequest) -> None:
        size = len(canonical(request.model_dump(mode="json", exclude={"secrets"})).encode("utf-8", "replace"))
        if size > self._settings.max_request_bytes:
            raise Invalid(
                "runs.request_too_large",
                f"The workflow and its inputs have {size:,} bytes.",
                hint=f"At most {self._settings.max_request_bytes:,} are taken (setting runs.max_request_bytes).",
            )

    def _insert(
        self, run_id: str, request: RunRequest, actor: Principal, names: tuple[str, ...], asked: str
    ) -> RunRecord | None:
        recorder = self._recorder
        record = RunRecord(
            id=run_id,
            number=0,
            title=request.workflow.title,
            workflow=request.workflow,
            inputs=request.inputs,
            secrets=names,
            state="queued",
            principal=actor,
            owner=request.owner,
            error=None,
            output={},
            steps_total=0,
            steps_done=0,
            dispatch=1,
            fence=0,
            last_seq=0,
            created_at=recorder.now(),
            started_at=None,
            ended_at=None,
            subjects=tuple(ref.lower() for ref in request.subjects),
            trigger=request.trigger,
            triggered_by=request.triggered_by,
            rerun_of=request.rerun_of,
            place="server" if self._only_on_server(request) else "",
        )
        with recorder.db.write():
            stored = self._runs.insert(record, idempotency_key=request.idempotency_key or None, request_digest=asked)
            if stored is None:
                return None
            recorder.steps.add(run_id, [_new_step(index, step) for index, step in enumerate(request.workflow.steps)])
            recorder.append(run_id, [recorder.run_event("queued")])
            detail = {"number": stored.number, "title": stored.title, "template": request.workflow.template_ref}
            self._audit.record(actor, START, f"run:{run_id}", detail=detail)
            recorder.announce(stored, "queued")
            recorder.db.after_commit(self._dispatcher.wake)
        return self._runs.get(run_id)

    def _only_on_server(self, request: RunRequest) -> bool:
        actions = (self._registry.find(step.action) for step in request.workflow.steps)
        return any(action is not None and action.only_on_server for action in actions)

    def get(self, ref: str, actor: Principal) -> RunView:
        """A run by id or number. Raises NotFound."""
        return self._view(self._readable(ref, actor))

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        """A page of runs, newest first."""
        self._access.check(actor, READ)
        page = self._runs.page(query)
        return Page(tuple(record.summary() for record in page.items), page.next_cursor, page.total)

    def counts(self, actor: Principal) -> dict[str, int]:
        """How many runs there are in each state."""
        self._access.check(actor, READ)
        return self._runs.counts()

    def events(self, ref: str, actor: Principal, *, after: int = 0, limit: int = _PAGE) -> list[RunEvent]:
        """Events and log lines after a sequence number, oldest first. Raises NotFound."""
        record = self._readable(ref, actor)
        return self._events.read(record.id, after=after, limit=max(1, min(limit, 5 * _PAGE)))

    async def follow(self, ref: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """The same, live, until the run has ended."""
        record = self._readable(ref, actor)
        async for found in self._followers.follow(record.id, after):
            for event in found:
                yield event

    def stream(self, ref: str, actor: Principal, *, after: int = 0) -> AsyncIterator[bytes]:
        """The same as server-sent events. Raises NotFound, Denied at once."""
        return self._followers.frames(self._readable(ref, actor).id, after)

    def search_log(
        self, ref: str, actor: Principal, *, text: str = "", step: str | None = None, after: int = 0, limit: int = _PAGE
    ) -> list[RunEvent]:
        """Log lines that hold a text, in any case, after a sequence number, oldest first. Raises NotFound."""
        record = self._readable(ref, actor)
        return self._events.search(record.id, text=text, step=step, after=after, limit=max(1, min(limit, 5 * _PAGE)))

    def log_lines(self, ref: str, actor: Principal, *, step: str | None = None) -> Iterator[str]:
        """The whole log as text, or that of one step, a line at a time, with the step in front."""
        record = self._readable(ref, actor)
        after = 0
        while found := self._events.read(record.id, after=after, limit=_PAGE):
            for event in found:
                after = event.seq
                if step is not None and event.step != step:
                    continue
                text = event.text if event.type == "log" else f"[{event.type} {event.state}]"
                yield f"{event.at.isoformat(timespec='milliseconds')} {event.step or '-'}: {text}\n"

    def cancel(self, ref: str, actor: Principal, *, undo: bool = False) -> RunView:
        """Ask a run to stop. One that has ended stays as it is; asking twice is harmless. Raises Denied, NotFound.

        With ``undo`` the steps that are done are taken back, as far as their actions can.
        """
        record = self._readable(ref, actor)
        check_own(self._access, record, actor, CANCEL)
        recorder = self._recorder
        with recorder.db.write():
            state = self._cancelled_state(record, undo=undo)
            if state is not None:
                if state == "cancelled":
                    execution = execution_id(record.id, record.dispatch)
                    recorder.db.after_commit(lambda: self._dispatcher.forget(execution))
                recorder.append(record.id, [recorder.run_event(state, by=actor.name)])
                self._audit.record(actor, CANCEL, f"run:{record.id}", detail={"number": record.number, "undo": undo})
                recorder.announce(record, state)
        self._executor.cancel(record.id)
        return self.get(record.id, actor)

    def _cancelled_state(self, record: RunRecord, *, undo: bool) -> str | None:
        """Change the state; None when there is nothing to change."""
        if undo:
            self._runs.change(record.id, {"undo": 1}, states=("running", "waiting", "cancelling"))
            # Nobody executes a waiting run: somebody must, to take its steps back.
            if self._runs.reopen(record.id, ("waiting",), state="cancelling") is not None:
                self._recorder.waits.drop(record.id)
                self._recorder.db.after_commit(self._dispatcher.wake)
                return "cancelling"
            if self._undo_again(record):
                return "cancelling"
        now = self._recorder.now()
        ended = {"state": "cancelled", "ended_at": now}
        if self._runs.change(record.id, ended, states=("queued", "waiting", "unknown")):
            self._recorder.waits.drop(record.id)
            for step in self._recorder.steps.of(record.id):
                if not step.ended:
                    self._recorder.steps.change(record.id, step.id, state="cancelled", ended_at=now)
            return "cancelled"
        if self._runs.change(record.id, {"state": "cancelling"}, states=("running",)):
            return "cancelling"
        return None

    def _undo_again(self, record: RunRecord) -> bool:
        """Take back what a run that has failed or was cancelled left: it was not asked to before, or not all went."""
        left = any(step.state == "succeeded" and not step.undone for step in self._recorder.steps.of(record.id))
        if not left or self._runs.reopen(record.id, ("failed", "cancelled"), state="cancelling") is None:
            return False
        self._runs.change(record.id, {"undo": 1})
        self._recorder.db.after_commit(self._dispatcher.wake)
        return True

    def retry(
        self,
        ref: str,
        actor: Principal,
        *,
        from_step: str | None = None,
        secrets: Mapping[str, SecretStr] | None = None,
    ) -> RunView:
        """Go on from the first step that did not succeed, or from ``from_step``; finished steps before it are kept.

        ``secrets`` take the place of those that it had, which may be deleted by now.
        Raises Conflict when the run has not ended or has succeeded, Invalid for a bad ``from_step``, Denied, NotFound.
        """
        record = self._readable(ref, actor)
        check_own(self._access, record, actor, RETRY)
        recorder = self._recorder
        with recorder.db.write():
            if self._runs.reopen(record.id, tuple(RETRYABLE), state="queued") is None:
                now = self._runs.get(record.id) or record
                raise Conflict(
                    "runs.not_retryable",
                    f"Run {record.number} is {now.state}.",
                    hint="Only a run that failed, was cancelled or has an unknown outcome can be retried.",
                )
            self._runs.change(record.id, {"undo": 0})
            if secrets:
                names = self._secrets.store(record.id, secrets, actor, known=record.secrets)
                self._runs.change(record.id, {"secrets": list(names)})
            recorder.waits.drop(record.id)
            plan = plan_retry(record, recorder.steps.of(record.id), from_step)
            for step_id in plan.released:
                recorder.steps.release_intents(record.id, step_id)
            for index, rows in plan.rows.items():
                recorder.steps.replace(record.id, index, rows)
            for step in plan.taken_as_done:
                recorder.steps.change(record.id, step.id, state="skipped")
                taken = recorder.step_event(step, "skipped", reason=f"{actor.name} says that it is done")
                recorder.append(record.id, [taken])
            first = next(iter(plan.rows.values()))[0].id if plan.rows else ""
            recorder.append(record.id, [recorder.run_event("queued", by=actor.name, retry_from=first)])
            self._audit.record(
                actor, RETRY, f"run:{record.id}", detail={"number": record.number, "from_step": from_step}
            )
            recorder.announce(record, "queued")
            recorder.db.after_commit(self._dispatcher.wake)
        return self.get(record.id, actor)

    def _readable(self, ref: str, actor: Principal) -> RunRecord:
        self._access.check(actor, READ)
        record = self._runs.get(ref)
        if record is None:
            raise NotFound("runs.not_found", f"There is no run {ref!r}.", hint="`flagstone runs list` lists all runs.")
        return record

    def _view(self, record: RunRecord) -> RunView:
        return record.view(self._recorder.steps.of(record.id), self._recorder.waits.of(record.id))


def _new_step(index: int, definition: StepDefinition) -> StepRecord:
    return StepRecord(definition.id, index, definition.name or definition.action, definition.action)


def _asked(request: RunRequest) -> str:
    """What tells two requests with one key apart."""
    return digest(request.model_dump(mode="json", exclude={"idempotency_key", "plan_digest", "secrets"}))
