"""Bringing a release up in an environment, and what is recorded when that works, fails or is cancelled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.platform.deployments.model import Deployment, HistoryEntry, Operation, Release
from flagstone.platform.deployments.service.recorder import Recorder, status_values
from flagstone.platform.deployments.service.release_files import ReleaseFiles
from flagstone.platform.deployments.service.resourcing import Resourcing
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.service.supervisor import Supervisor
from flagstone.platform.deployments.service.turns import Execution, Turn, Turns, stopping
from flagstone.platform.deployments.service.workloads import spec_of
from flagstone.sdk import RolloutFailed, Runtime, RuntimeStatus

log = logging.getLogger("flagstone.deployments")

_SERVING = ("healthy", "degraded", "scheduled", "starting")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One release on its way."""

    operation: Operation
    deployment: Deployment
    """As it was before."""
    release: Release
    current: Release | None
    """What ran before, or would run."""
    runtime: str
    actor: Principal
    execution: Execution
    owner: str | None = None


class Rollouts:
    """See the module. To be called in a turn."""

    def __init__(
        self,
        files: ReleaseFiles,
        runtimes: OpenRuntimes,
        turns: Turns,
        supervisor: Supervisor,
        recorder: Recorder,
        resourcing: Resourcing,
    ) -> None:
        self._resourcing = resourcing
        self._files = files
        self._runtimes = runtimes
        self._turns = turns
        self._supervisor = supervisor
        self._recorder = recorder

    def bring_up(self, rollout: Rollout, turn: Turn) -> Deployment:
        """Bring the release up and record it. Raises RolloutFailed, or what else went wrong, after recording that."""
        release, execution, before = rollout.release, rollout.execution, rollout.deployment
        entry = self._recorder.begin(before, rollout.operation, release, actor=rollout.actor, execution=execution)
        deployment = self._announce(rollout, turn)
        runtime = self._runtimes.get(rollout.runtime)

        def cancelled() -> bool:
            return execution.cancelled() or turn.lost.is_set() or self._turns.closing

        try:
            folder = self._files.ensure(release)
            outputs = self._resourcing.values(deployment, release)
            spec = spec_of(deployment, release, folder, self._files.reader(release), outputs)
            # What ran before a restart must serve while the new release comes up.
            self._supervisor.bring_back(before)
            status = self._resourcing.status(deployment, runtime.apply(spec, execution.progress, cancelled))
        except Exception as error:
            if self._turns.closing:
                # Given up because the server stops: it goes on with the same step after the next start.
                raise stopping() from error
            self._failed(rollout, deployment, turn, entry, error, runtime)
        self._supervisor.known(deployment.id)
        self._leave_old_runtime(before, rollout.runtime, execution.progress)
        return self._recorder.end(
            deployment,
            turn,
            entry,
            "succeeded",
            actor=rollout.actor,
            **{**status_values(status, self._recorder.now), **_accepted(rollout, self._recorder.now)},
        )

    def _announce(self, rollout: Rollout, turn: Turn) -> Deployment:
        message = f"{rollout.release.version} is being brought up."
        if rollout.current is not None and rollout.deployment.state in _SERVING:
            message = f"{rollout.release.version} is being brought up; {rollout.current.version} serves meanwhile."
        return self._recorder.change(
            rollout.deployment,
            turn,
            rollout.actor.id,
            state="deploying",
            message=message,
            since=self._recorder.now(),
            last_run_id=rollout.execution.run_id,
            last_log=(),
        )

    def _leave_old_runtime(self, before: Deployment, runtime: str, progress: Callable[[str], None]) -> None:
        if before.runtime == runtime or before.current_release_id is None:
            return
        progress(f"The environment has moved from runtime {before.runtime} to {runtime}: removing it from the old one.")
        try:
            self._runtimes.get(before.runtime).remove(before.id)
        except Exception:
            # The new one serves already; a runtime that is gone for good must not undo that.
            log.exception("the deployment %s could not be removed from the runtime %s", before.id, before.runtime)

    def _failed(
        self,
        rollout: Rollout,
        deployment: Deployment,
        turn: Turn,
        entry: HistoryEntry,
        error: Exception,
        runtime: Runtime,
    ) -> NoReturn:
        cancelled = rollout.execution.cancelled()
        values = self._truth(rollout, runtime)
        masker = self._resourcing.masker(deployment)
        reason = masker.mask(_reason(rollout.release, error, cancelled=cancelled))
        message = f"{reason}{_what_serves(rollout.current, values['state'])}"
        if reason in values["message"]:
            # The runtime says it as well: with two wordings every later report would look like news.
            message = values["message"]
        last_log = tuple(masker.mask(line) for line in error.last_log) if isinstance(error, RolloutFailed) else ()
        self._recorder.end(
            deployment,
            turn,
            entry,
            "cancelled" if cancelled else "failed",
            actor=rollout.actor,
            **{**values, "message": message, "last_log": last_log},
        )
        if isinstance(error, RolloutFailed):
            raise RolloutFailed(message, last_log=last_log, hint=error.hint) from error
        raise error

    def _truth(self, rollout: Rollout, runtime: Runtime) -> dict[str, Any]:
        """What is true of the deployment after a failure, as columns."""
        nothing = RuntimeStatus("stopped" if rollout.current and rollout.deployment.desired == "stopped" else "failed")
        status = nothing
        if rollout.current is not None:
            try:
                status = self._resourcing.status(rollout.deployment, runtime.status(rollout.deployment.id))
            except Exception:
                log.exception("the runtime %s did not tell the state of %s", rollout.runtime, rollout.deployment.id)
        values = status_values(nothing if status.state == "unknown" else status, self._recorder.now)
        return {**values, "desired": rollout.deployment.desired}


def _accepted(rollout: Rollout, now: Callable[[], Any]) -> dict[str, Any]:
    before, release = rollout.deployment, rollout.release
    same = before.current_release_id == release.id
    return {
        "runtime": rollout.runtime,
        "workload": release.workload_name,
        "repository": release.repository,
        "owner": rollout.owner or before.owner,
        "desired": "running",
        "current_release_id": release.id,
        "previous_release_id": before.previous_release_id if same else before.current_release_id,
        "deployed_at": now(),
        "last_run_id": rollout.execution.run_id,
    }


def _reason(release: Release, error: Exception, *, cancelled: bool) -> str:
    if cancelled:
        return f"The rollout of {release.version} was cancelled"
    if isinstance(error, RolloutFailed):
        return error.message.rstrip(". ")
    text = error.message if isinstance(error, FlagstoneError) else f"{type(error).__name__}: {error}"
    return f"{release.version} could not be brought up: {text.rstrip('. ')}"


def _what_serves(current: Release | None, state: str) -> str:
    if current is None:
        return "."
    if state in _SERVING:
        return f"; {current.version} still serves."
    return f"; {current.version} is {state}."
