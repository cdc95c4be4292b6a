"""What every door to a platform must do, whatever lies between.

Subclass :class:`GatewaySuite` and give it a ``gateway`` to a platform that has the runtime ``local`` and nothing in it
that matters::

    class TestMine(GatewaySuite):
        @pytest.fixture(scope="class")
        @classmethod
        def gateway(cls):
            return MyGateway(...)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import pytest

from flagstone.contracts.approvals import ApprovalQuery
from flagstone.contracts.batches import NewBatch
from flagstone.contracts.gateway import DeploymentQuery, RunGateway, RunQuery
from flagstone.contracts.repositories import MergeChangeRequest, OpenChangeRequest
from flagstone.contracts.resources import ResourceQuery
from flagstone.contracts.runs import RunEvent, RunRequest, RunView, StepDefinition, WorkflowDefinition
from flagstone.contracts.triggers import NewTrigger, TriggerChange
from flagstone.contracts.workflows import remove_resource_workflow, request_resource_workflow
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.testing.server import wait_until

OWNERS = "group:default/payments"
DEVELOPER = Principal(
    "user", "user:dora", "Dora", role="developer", entity_ref="user:default/dora", groups=frozenset({OWNERS})
)
STRANGER = Principal("user", "user:stan", "Stan", role="developer", groups=frozenset({"group:default/logistics"}))
VIEWER = Principal("user", "user:vera", "Vera", role="viewer", entity_ref="user:default/vera")
MAINTAINER = Principal("user", "user:mona", "Mona", role="maintainer")
NARROWED = Principal("user", "user:dora", "Dora", role="maintainer", scopes=frozenset({"read"}))

_LIMIT = 60.0
_ENDED = ("succeeded", "failed", "cancelled", "unknown")
T = TypeVar("T")


def workflow(*steps: tuple[str, dict[str, Any]], **more: Any) -> WorkflowDefinition:
    """Steps ``s1``, ``s2`` … of (action, input)."""
    made = tuple(
        StepDefinition(id=f"s{number}", name=action, action=action, input=given)
        for number, (action, given) in enumerate(steps, 1)
    )
    return WorkflowDefinition(name="suite", title="A run of the suite", steps=made, **more)


def hello(**more: Any) -> RunRequest:
    """A request that logs a line."""
    return RunRequest(workflow=workflow(("debug:log", {"message": "good morning"})), **more)


def service(name: str) -> RunRequest:
    """A request that makes a repository with a workload and deploys it."""
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "service", "lifecycle": "experimental", "owner": OWNERS},
    }
    program = "import time\nprint('up and running', flush=True)\ntime.sleep(1000)"
    score = {
        "apiVersion": "score.dev/v1b1",
        "metadata": {"name": name},
        "containers": {"main": {"image": ".", "command": ["python3", "-c", program]}},
    }
    steps = workflow(
        ("catalog:write", {"filePath": "catalog-info.yaml", "entity": entity}),
        ("catalog:write", {"filePath": "score.yaml", "entity": score}),
        ("publish:git", {"repoUrl": f"flagstone?owner=suite&repo={name}"}),
        (
            "flagstone:deploy",
            {
                "repository": f"suite/{name}",
                "environment": "development",
                "entityRef": f"component:default/{name}",
            },
        ),
    )
    return RunRequest(workflow=steps, owner=OWNERS)


async def collect(stream: AsyncIterator[T], until: Any = None) -> list[T]:
    """Everything that comes, until it ends or ``until(item)``; TimeoutError after a while."""
    found: list[T] = []
    async with asyncio.timeout(_LIMIT):
        async for item in stream:
            found.append(item)
            if until is not None and until(item):
                break
    return found


class GatewaySuite:
    """See the module."""

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls) -> RunGateway:
        """The door."""
        pytest.fail("Give the suite a fixture `gateway`.")

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, gateway: RunGateway) -> Iterator[str]:
        """The name of a service that runs; it is removed at the end."""
        name = f"suite-{new_id()[-8:]}"
        ended = cls.ended(gateway, gateway.submit(service(name), DEVELOPER))
        assert ended.state == "succeeded", ended.error
        yield name
        (found,) = gateway.list_deployments(DeploymentQuery(entity_ref=f"component:default/{name}"), DEVELOPER).items
        removal = workflow(("flagstone:undeploy", {"deployment": found.id}))
        cls.ended(gateway, gateway.submit(RunRequest(workflow=removal), MAINTAINER))

    @staticmethod
    def ended(gateway: RunGateway, run: RunView) -> RunView:
        """The run when it has ended."""
        deadline = time.monotonic() + _LIMIT
        while time.monotonic() < deadline:
            found = gateway.get_run(run.id, DEVELOPER)
            if found.state in _ENDED:
                return found
            time.sleep(0.05)
        raise AssertionError(f"run {run.id} did not end")

    def test_it_says_that_it_is_connected(self, gateway: RunGateway) -> None:
        """And how it is called."""
        assert gateway.info().connected
        assert gateway.info().name
        assert "flagstone" in gateway.info().repo_hosts

    def test_the_actions_are_listed_with_their_schemas(self, gateway: RunGateway) -> None:
        """By id, each once."""
        actions = {action.id: action for action in gateway.list_actions()}
        assert {"debug:log", "publish:git", "flagstone:deploy"} <= set(actions)
        assert "repoUrl" in actions["publish:git"].input_schema["properties"]
        assert list(actions) == sorted(actions)

    def test_a_plan_shows_the_changes_and_makes_none(self, gateway: RunGateway) -> None:
        """The same request has the same digest."""
        name = f"planned-{new_id()[-8:]}"
        plan = gateway.plan(service(name), DEVELOPER)
        assert plan.allowed
        assert f"suite/{name}" in {change.subject for step in plan.steps for change in step.changes}
        assert {"catalog-info.yaml", "score.yaml"} <= {file.path for file in plan.files}
        assert gateway.plan(service(name), DEVELOPER).digest == plan.digest
        with pytest.raises(NotFound):
            gateway.get_repository(f"suite/{name}", DEVELOPER)

    def test_a_run_is_found_by_id_by_number_and_in_the_list(self, gateway: RunGateway) -> None:
        """With who asked for it."""
        run = gateway.submit(hello(), DEVELOPER)
        ended = self.ended(gateway, run)
        assert (ended.state, ended.actor, ended.actor_name) == ("succeeded", "user:dora", "Dora")
        assert gateway.get_run(str(run.number), VIEWER).id == run.id
        assert gateway.list_runs(RunQuery(limit=1), VIEWER).items[0].id == run.id
        page = gateway.list_runs(RunQuery(limit=1, state=("succeeded",), actor="user:dora"), VIEWER)
        assert [item.id for item in page.items] == [run.id]
        other = gateway.submit(hello(), DEVELOPER)
        first = gateway.list_runs(RunQuery(limit=1), VIEWER)
        assert [item.id for item in first.items] == [other.id]
        second = gateway.list_runs(RunQuery(limit=1, cursor=first.next_cursor), VIEWER)
        assert [item.id for item in second.items] == [run.id]
        counted = gateway.list_runs(RunQuery(limit=1, offset=1, count=True, actor_refs=("user:default/dora",)), VIEWER)
        assert ([item.id for item in counted.items], counted.total) == ([run.id], 2)
        eldest = gateway.list_runs(RunQuery(limit=1, order="number", ascending=True), VIEWER)
        assert [item.id for item in eldest.items] == [run.id]

    def test_the_same_idempotency_key_is_the_same_run(self, gateway: RunGateway) -> None:
        """Another key is another run."""
        key = new_id()
        first = gateway.submit(hello(idempotency_key=key), DEVELOPER)
        assert gateway.submit(hello(idempotency_key=key), DEVELOPER).id == first.id
        assert gateway.submit(hello(idempotency_key=new_id()), DEVELOPER).id != first.id

    def test_a_plan_that_is_not_the_one_that_was_seen_is_refused(self, gateway: RunGateway) -> None:
        """With the digest of the plan it starts."""
        with pytest.raises(Conflict):
            gateway.submit(hello(plan_digest="0" * 64), DEVELOPER)
        digest = gateway.plan(hello(), DEVELOPER).digest
        assert gateway.submit(hello(plan_digest=digest), DEVELOPER).id

    def test_what_cannot_be_run_is_told_with_every_problem(self, gateway: RunGateway) -> None:
        """Field and hint come through the door."""
        with pytest.raises(Invalid) as refused:
            gateway.submit(RunRequest(workflow=workflow(("debug:logg", {}))), DEVELOPER)
        (problem,) = refused.value.problems
        assert problem.field == "steps.s1.action"
        assert "debug:log" in str(problem.hint)

    def test_secrets_go_through_and_never_come_back(self, gateway: RunGateway) -> None:
        """Neither in the run nor in its log."""
        request = RunRequest.model_validate(
            {
                "workflow": workflow(("debug:log", {"message": "token ${{ secrets.token }}"})).model_dump(),
                "secrets": {"token": "opensesame-1234"},
            }
        )
        run = self.ended(gateway, gateway.submit(request, DEVELOPER))
        events = gateway.run_events(run.id, DEVELOPER)
        assert "opensesame-1234" not in run.model_dump_json() + "".join(event.model_dump_json() for event in events)

    def test_events_are_read_from_a_cursor(self, gateway: RunGateway) -> None:
        """Page by page, none twice, none missing."""
        run = self.ended(gateway, gateway.submit(hello(), DEVELOPER))
        whole = gateway.run_events(run.id, VIEWER)
        assert [event.seq for event in whole] == list(range(1, len(whole) + 1))
        assert "good morning" in {event.text for event in whole}
        parts: list[RunEvent] = []
        while page := gateway.run_events(run.id, VIEWER, after=parts[-1].seq if parts else 0, limit=2):
            parts += page
        assert parts == whole

    def test_a_run_is_followed_to_its_end(self, gateway: RunGateway) -> None:
        """From the beginning or from a cursor."""
        wait = workflow(("debug:wait", {"milliseconds": 300}), ("debug:log", {"message": "good night"}))
        run = gateway.submit(RunRequest(workflow=wait), DEVELOPER)
        seen = asyncio.run(collect(gateway.follow_run(run.id, VIEWER)))
        assert (seen[-1].type, seen[-1].state) == ("run", "succeeded")
        assert "good night" in {event.text for event in seen}
        middle = seen[len(seen) // 2].seq
        again = asyncio.run(collect(gateway.follow_run(run.id, VIEWER, after=middle)))
        assert [event.seq for event in again] == [event.seq for event in seen if event.seq > middle]

    def test_a_run_is_cancelled_and_retried(self, gateway: RunGateway) -> None:
        """It goes on where it was."""
        wait = workflow(("debug:log", {"message": "once"}), ("debug:wait", {"seconds": 2}))
        run = gateway.submit(RunRequest(workflow=wait), DEVELOPER)
        gateway.cancel(run.id, DEVELOPER)
        cancelled = self.ended(gateway, run)
        assert cancelled.state == "cancelled"
        gateway.retry(run.id, DEVELOPER)
        assert self.ended(gateway, run).state == "succeeded"
        with pytest.raises(Conflict):
            gateway.retry(run.id, DEVELOPER)

    def test_a_step_that_asks_is_answered_and_its_log_is_searched(self, gateway: RunGateway) -> None:
        """By who started it; somebody else may not."""
        form = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}
        asking = workflow(
            ("flagstone:ask", {"message": "How large?", "schema": form}),
            ("debug:log", {"message": "It is ${{ steps.s1.output.values.size }}"}),
        )
        run = gateway.submit(RunRequest(workflow=asking), DEVELOPER)
        wait_until(lambda: gateway.get_run(run.id, VIEWER).steps[0].wait, 20, "the question")
        step = asking.steps[0]
        with pytest.raises(Denied):
            gateway.answer_run(run.id, step.id, {"size": 3}, VIEWER)
        with pytest.raises(Invalid):
            gateway.answer_run(run.id, step.id, {}, DEVELOPER)
        gateway.answer_run(run.id, step.id, {"size": 3}, DEVELOPER)
        assert self.ended(gateway, run).state == "succeeded"
        (line,) = gateway.search_run_log(run.id, VIEWER, text="IT IS")
        assert line.text == "It is 3"
        assert gateway.search_run_log(run.id, VIEWER, text="it is", after=line.seq) == []
        with pytest.raises(Conflict):
            gateway.resolve_step(run.id, step.id, "done", DEVELOPER)

    def test_environments_and_deployments_are_seen(self, gateway: RunGateway, made: str) -> None:
        """With state, release, owner and log."""
        assert "development" in {item.name for item in gateway.list_environments(VIEWER)}
        query = DeploymentQuery(entity_ref=f"component:default/{made}")
        (found,) = gateway.list_deployments(query, VIEWER).items
        assert (found.environment, found.state, found.owner) == ("development", "healthy", OWNERS)
        assert gateway.get_deployment(found.id, VIEWER).workload == made
        assert found.id in {
            item.id for item in gateway.list_deployments(DeploymentQuery(owners=(OWNERS,)), VIEWER).items
        }
        assert gateway.list_deployments(DeploymentQuery(owners=("group:default/none",)), VIEWER).items == ()
        lines = gateway.deployment_log(found.id, DEVELOPER)
        assert "up and running" in {line.text for line in lines}
        stream = gateway.follow_deployment_log(found.id, DEVELOPER, after=0)
        live = asyncio.run(collect(stream, until=lambda line: line.text == "up and running"))
        assert live[-1].text == "up and running"

    def test_repositories_are_read(self, gateway: RunGateway, made: str) -> None:
        """Head, tree, files, commits."""
        name = f"suite/{made}"
        found = gateway.get_repository(name, VIEWER)
        assert name in {item.name for item in gateway.list_repositories(VIEWER).items}
        assert {"catalog-info.yaml", "score.yaml"} <= {item.path for item in gateway.repository_tree(name, VIEWER)}
        file = gateway.repository_file(name, "catalog-info.yaml", VIEWER)
        assert made in str(file.text)
        assert file.commit == found.head
        commit = gateway.repository_commits(name, VIEWER)[0]
        assert commit.id == found.head
        same = gateway.repository_file(name, "score.yaml", VIEWER, commit=commit.id)
        assert "score.dev/v1b1" in str(same.text)
        with pytest.raises(NotFound):
            gateway.repository_file(name, "no such file.yaml", VIEWER)

    def test_a_change_request_is_opened_by_a_run_looked_at_and_merged(self, gateway: RunGateway, made: str) -> None:
        """With branches, difference, states and permissions as the platform has them."""
        name = f"suite/{made}"
        entity = {"apiVersion": "v1", "kind": "Component", "metadata": {"name": made}}
        steps = workflow(
            ("catalog:write", {"filePath": "docs/extra.yaml", "entity": entity}),
            (
                "publish:git:pull-request",
                {
                    "repoUrl": f"flagstone?owner=suite&repo={made}",
                    "branchName": "extra",
                    "title": "More",
                    "description": "",
                },
            ),
        )
        ended = self.ended(gateway, gateway.submit(RunRequest(workflow=steps, owner=OWNERS), DEVELOPER))
        assert ended.state == "succeeded", ended.error
        assert [item.name for item in gateway.list_branches(name, VIEWER)] == ["main", "extra"]
        (found,) = gateway.list_changes(name, VIEWER, state=("open",)).items
        detail = gateway.get_change(name, found.number, VIEWER)
        assert ([file.path for file in detail.files], detail.mergeable) == (["docs/extra.yaml"], "clean")
        assert not detail.may_write
        with pytest.raises(Denied):
            gateway.merge_change(name, found.number, MergeChangeRequest(), VIEWER)
        with pytest.raises(Conflict):
            gateway.merge_change(name, found.number, MergeChangeRequest(head="0" * 40), DEVELOPER)
        with pytest.raises(Conflict):
            gateway.open_change(name, OpenChangeRequest(title="Again", branch="extra"), DEVELOPER)
        assert gateway.close_change(name, found.number, DEVELOPER).state == "closed"
        assert gateway.reopen_change(name, found.number, DEVELOPER).state == "open"
        wanted = MergeChangeRequest(head=detail.head, method="fast-forward")
        assert gateway.merge_change(name, found.number, wanted, DEVELOPER).merge_commit == detail.head
        assert gateway.list_changes(name, VIEWER, state=("open",)).items == ()
        with pytest.raises(NotFound):
            gateway.get_change(name, 999, VIEWER)

    def test_a_run_that_waits_for_an_approval_is_decided(self, gateway: RunGateway) -> None:
        """By those who are asked, once, for the plan that was seen."""
        asked = workflow(
            ("debug:log", {"message": "agreed"}), approvals=({"of": [OWNERS, "role:maintainer"], "reason": "Suite"},)
        )
        run = gateway.submit(RunRequest(workflow=asked), DEVELOPER)
        deadline = time.monotonic() + _LIMIT
        while not (found := gateway.list_approvals(ApprovalQuery(run_id=run.id), VIEWER).items):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (request,) = found
        assert (request.state, request.rule.reason, request.may_decide) == ("pending", "Suite", False)
        plan = gateway.approval_plan(request.id, MAINTAINER)
        assert plan is not None
        assert plan.digest == request.plan_digest
        assert gateway.count_approvals(MAINTAINER) >= 1
        for who in (DEVELOPER, VIEWER):
            with pytest.raises(Denied):
                gateway.decide_approval(request.id, who, "approve")
        with pytest.raises(Conflict):
            gateway.decide_approval(request.id, MAINTAINER, "approve", plan_digest="another")
        view = gateway.delegate_approval(request.id, MAINTAINER, "user:default/vera")
        assert [item.to for item in view.delegations] == ["user:default/vera"]
        done = gateway.decide_approval(request.id, VIEWER, "approve", comment="Fine", plan_digest=plan.digest)
        assert (done.state, done.decisions[0].comment) == ("approved", "Fine")
        assert self.ended(gateway, run).state == "succeeded"
        with pytest.raises(NotFound):
            gateway.get_approval(new_id(), VIEWER)

    def test_the_outbox_is_read_from_a_cursor_and_waits(self, gateway: RunGateway, made: str) -> None:
        """It waits no longer than it is asked to."""
        events = gateway.events()
        assert any(event.type in ("repository.pushed", "deployment.changed") for event in events)
        assert any(made in event.subject for event in events)
        cursors = [event.cursor for event in events]
        assert cursors == sorted(set(cursors))
        assert [event.cursor for event in gateway.events(after=cursors[0], limit=1)] == cursors[1:2]
        last = cursors[-1]
        while more := gateway.events(after=last):
            last = more[-1].cursor
        began = time.monotonic()
        assert gateway.events(after=last, wait=0.3) == []
        assert 0.2 < time.monotonic() - began < 5

    def test_what_does_not_exist_is_not_found(self, gateway: RunGateway) -> None:
        """With a code that names it."""
        missing = new_id()
        for call in (
            lambda: gateway.get_run(missing, DEVELOPER),
            lambda: gateway.run_events(missing, DEVELOPER),
            lambda: gateway.cancel(missing, DEVELOPER),
            lambda: gateway.retry(missing, DEVELOPER),
            lambda: gateway.get_deployment(missing, DEVELOPER),
            lambda: gateway.deployment_log(missing, DEVELOPER),
            lambda: gateway.get_repository("suite/missing", DEVELOPER),
            lambda: gateway.repository_tree("suite/missing", DEVELOPER),
            lambda: asyncio.run(collect(gateway.follow_run(missing, DEVELOPER))),
        ):
            with pytest.raises(NotFound):
                call()

    def test_a_viewer_may_look_and_not_touch(self, gateway: RunGateway, made: str) -> None:
        """Nor may a token whose scopes only read."""
        run = self.ended(gateway, gateway.submit(hello(), DEVELOPER))
        for who in (VIEWER, NARROWED):
            assert gateway.get_run(run.id, who).id == run.id
            with pytest.raises(Denied):
                gateway.submit(hello(), who)
            with pytest.raises(Denied):
                gateway.retry(run.id, who)

    def test_a_claimed_owner_opens_nothing_of_others(self, gateway: RunGateway, made: str) -> None:
        """A stranger cannot stop what others own by saying that it is theirs."""
        (found,) = gateway.list_deployments(DeploymentQuery(entity_ref=f"component:default/{made}"), STRANGER).items
        stop = workflow(("flagstone:stop", {"deployment": found.id}))
        request = RunRequest(workflow=stop, owner="group:default/logistics")
        try:
            ended = self.ended(gateway, gateway.submit(request, STRANGER))
        except Denied:
            pass
        else:
            assert ended.state == "failed"
            assert str((ended.error or {}).get("code")) == "access.denied"
        assert gateway.get_deployment(found.id, VIEWER).state == "healthy"

    def test_a_schedule_is_made_paused_run_and_deleted(self, gateway: RunGateway) -> None:
        """With its due times, and the rights of who made it."""
        wanted = NewTrigger(
            title="Every night", cron="30 2 * * *", timezone="Europe/Berlin", request=hello(owner=OWNERS)
        )
        with pytest.raises(Denied):
            gateway.create_trigger(wanted, VIEWER)
        with pytest.raises(Invalid):
            gateway.create_trigger(wanted.model_copy(update={"cron": "30 2 31 2 *"}), DEVELOPER)
        made = gateway.create_trigger(wanted, DEVELOPER)
        assert (made.actor_name, made.workflow, len(made.upcoming), made.may_change) == (
            "Dora",
            "A run of the suite",
            5,
            True,
        )
        assert made.id in {item.id for item in gateway.list_triggers(VIEWER, kind="schedule").items}
        assert not gateway.get_trigger(made.id, VIEWER).may_change
        with pytest.raises(Denied):
            gateway.change_trigger(made.id, TriggerChange(title="Theirs"), STRANGER)
        change = TriggerChange(title="Renamed", request=wanted.request)
        assert gateway.change_trigger(made.id, change, DEVELOPER).title == "Renamed"
        paused = gateway.pause_trigger(made.id, DEVELOPER, paused=True)
        assert (paused.paused, paused.upcoming) == (True, ())
        with pytest.raises(Denied):
            gateway.run_trigger(made.id, STRANGER)
        run = self.ended(gateway, gateway.run_trigger(made.id, MAINTAINER))
        assert (run.state, run.trigger, run.triggered_by) == ("succeeded", "schedule", made.id)
        assert [item.id for item in gateway.list_runs(RunQuery(triggered_by=made.id), VIEWER).items] == [run.id]
        gateway.delete_trigger(made.id, DEVELOPER)
        with pytest.raises(NotFound):
            gateway.get_trigger(made.id, VIEWER)

    def test_a_batch_is_started_seen_and_changed(self, gateway: RunGateway) -> None:
        """One run for each entity, as whoever started it; others may look and not touch."""
        items = [{"subject": f"component:default/{name}"} for name in ("cart", "orders", "search")]
        given = {"title": "Say it to all", "workflow": hello().workflow, "items": items, "at_once": 2}
        wanted = NewBatch.model_validate({**given, "secrets": {"key": "CANARY-suite"}})
        with pytest.raises(Denied):
            gateway.start_batch(wanted, VIEWER)
        with pytest.raises(Invalid) as refused:
            gateway.start_batch(wanted.model_copy(update={"items": wanted.items * 2}), DEVELOPER)
        assert {problem.field for problem in refused.value.problems} == {item["subject"] for item in items}
        made = gateway.start_batch(wanted, DEVELOPER)
        assert (made.actor_name, made.workflow, made.counts.total) == ("Dora", "A run of the suite", 3)
        assert (made.secrets, made.secrets_kept) == (("key",), True)
        with pytest.raises(Denied):
            gateway.change_batch(made.id, "cancel", STRANGER)
        until = time.monotonic() + 60
        while (batch := gateway.get_batch(made.id, VIEWER)).state != "succeeded":
            assert time.monotonic() < until, batch
            time.sleep(0.1)
        assert (batch.may_change, batch.counts.succeeded) == (False, 3)
        assert (batch.secrets, batch.secrets_kept) == (("key",), False)
        with pytest.raises(Conflict):
            gateway.change_batch(made.id, "retry", DEVELOPER, wanted.secrets)
        page = gateway.batch_items(made.id, VIEWER, state=("succeeded",), limit=2)
        rest = gateway.batch_items(made.id, VIEWER, state=("succeeded",), limit=2, cursor=page.next_cursor)
        assert [item.subject for item in (*page.items, *rest.items)] == [item["subject"] for item in items]
        runs = gateway.list_runs(RunQuery(triggered_by=made.id), VIEWER).items
        assert {(run.trigger, run.actor_name) for run in runs} == {("batch", "Dora")}
        assert gateway.list_batches(VIEWER, state=("succeeded",)).items[0].id == made.id
        with pytest.raises(Conflict):
            gateway.change_batch(made.id, "pause", MAINTAINER)
        with pytest.raises(NotFound):
            gateway.get_batch("none", VIEWER)

    def test_a_resource_is_asked_for_seen_and_removed(self, gateway: RunGateway) -> None:
        """By runs; what is secret is only named."""
        types = {one.name: one for one in gateway.resource_types(VIEWER)}
        assert types["secret"].secret_outputs == ("value",)
        assert "random" in {one.name for one in gateway.resource_definitions(VIEWER)}
        component = f"component:default/suite-{new_id()[-8:]}"
        asking = request_resource_workflow(
            title="Ask", type="secret", name="key", environment="development", entity_ref=component, owner=OWNERS
        )
        plan = gateway.plan(RunRequest(workflow=asking), DEVELOPER)
        assert [(change.kind, change.op) for step in plan.steps for change in step.changes] == [("resource", "create")]
        ended = self.ended(gateway, gateway.submit(RunRequest(workflow=asking, owner=OWNERS), DEVELOPER))
        assert ended.state == "succeeded", ended.error
        (found,) = gateway.list_resources(ResourceQuery(entity_ref=component, state=("ready",)), VIEWER).items
        assert (found.secret_names, found.outputs, found.owner) == (("value",), {}, OWNERS)
        assert gateway.get_resource(found.id, VIEWER) == found
        assert gateway.list_resources(ResourceQuery(owners=("group:default/none",)), VIEWER).items == ()
        removing = remove_resource_workflow(title="Remove", resource_id=found.id)
        assert gateway.plan(RunRequest(workflow=removing), STRANGER).problems
        assert self.ended(gateway, gateway.submit(RunRequest(workflow=removing), MAINTAINER)).state == "succeeded"
        assert gateway.get_resource(found.id, VIEWER).state == "removed"
        with pytest.raises(NotFound):
            gateway.get_resource("none", VIEWER)
