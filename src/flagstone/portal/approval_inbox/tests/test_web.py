"""The inbox as people see it, in front of a platform that holds requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagstone.contracts.approvals import ApprovalDecision, ApprovalDelegation, ApprovalRule, ApprovalView
from flagstone.contracts.plans import Change, Plan, PlannedFile, PlannedStep
from flagstone.contracts.policy import Verdict
from flagstone.contracts.runs import StepView, WaitView
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Problem
from flagstone.kernel.paging import Page
from flagstone.portal.self_service.tests.conftest import Visit
from flagstone.testing.portal import PortalApp, RecordingGateway

NOW = datetime.now(UTC)
PLAN = Plan(
    title="Ship",
    steps=(
        PlannedStep(
            id="s", name="Deploy", action="x", changes=(Change(kind="deployment", op="create", subject="shop in prod"),)
        ),
    ),
    files=(PlannedFile(path="app.py", text="print('<b>')\n"),),
    verdicts=(Verdict(policy="acme:prod", severity="warn", message="Production needs approval."),),
).sealed()


class WithApprovals(RecordingGateway):
    """Requests that a test put there; decisions change them."""

    def __init__(self):
        super().__init__()
        self.approvals = {}
        self.answers = []

    def add(self, **values):
        made = ApprovalView.model_validate(
            {
                "id": f"a{len(self.approvals)}",
                "state": "pending",
                "run_id": "run-1",
                "run_number": 7,
                "run_title": "Ship the shop",
                "step_id": "approval",
                "rule": ApprovalRule(of=("group:default/payments", "role:maintainer"), reason="Production"),
                "plan_digest": PLAN.digest,
                "requested_by": "user:x",
                "requested_by_name": "Xena",
                "created_at": NOW,
                "expires_at": NOW + timedelta(days=3),
                "may_decide": True,
                **values,
            }
        )
        self.approvals[made.id] = made
        return made

    def list_approvals(self, query, actor):
        found = [item for item in self.approvals.values() if not query.mine or item.may_decide]
        return Page(tuple(item for item in found if not query.state or item.state in query.state))

    def count_approvals(self, actor):
        return sum(item.may_decide for item in self.approvals.values())

    def get_approval(self, approval_id, actor):
        if approval_id not in self.approvals:
            raise NotFound("approvals.not_found", "There is no such request.")
        return self.approvals[approval_id]

    def approval_plan(self, approval_id, actor):
        return PLAN if self.approvals[approval_id].plan_digest else None

    def decide_approval(self, approval_id, actor, verdict, *, comment="", plan_digest=""):
        item = self.approvals[approval_id]
        if plan_digest != item.plan_digest:
            raise Conflict("approvals.other_plan", "What is to be approved is not what you saw.")
        said = ApprovalDecision(actor=actor.id, actor_name=actor.name, verdict=verdict, comment=comment, at=NOW)
        state = {"approve": "approved", "reject": "rejected"}[verdict]
        changes = {"state": state, "decisions": (said,), "may_decide": False, "why_not": f"It is {state}."}
        self.approvals[approval_id] = item.model_copy(update=changes)
        return self.approvals[approval_id]

    def delegate_approval(self, approval_id, actor, to):
        if not to.startswith("user:"):
            raise Invalid("approvals.bad_delegate", f"{to!r} is no user.")
        given = ApprovalDelegation(by="user:default/dora", to=to, at=NOW)
        self.approvals[approval_id] = self.approvals[approval_id].model_copy(update={"delegations": (given,)})
        return self.approvals[approval_id]

    def answer_run(self, run_id, step_id, values, actor):
        if values.get("size", 0) < 1:
            raise Invalid("runs.bad_answer", "Not what was asked for.", problems=[Problem("too small", field="size")])
        self.answers.append((run_id, step_id, values))
        return self.get_run(run_id, actor)


@pytest.fixture(scope="module")
def gateway():
    return WithApprovals()


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    app = PortalApp(tmp_path_factory.mktemp("portal") / "data", gateway)
    yield app
    app.stop()


@pytest.fixture
def dora(portal, gateway):
    gateway.approvals.clear()
    gateway.runs.clear()
    return Visit(portal, portal.people.developer)


def text(page):
    return " ".join(page.get_text(" ").split())


def test_the_inbox_lists_what_waits_and_links_to_it(gateway, dora):
    assert "Nothing waits for your approval" in text(dora.get("/approvals"))
    gateway.add()
    gateway.add(state="rejected", may_decide=False, run_title="Old one")
    page = dora.get("/approvals")
    assert "Ship the shop" in text(page)
    assert "Old one" not in text(page)
    assert page.find("a", href="/approvals/a0")
    assert "Old one" in text(dora.get("/approvals?view=decided"))
    dora.get("/approvals?view=nonsense", status=422)


def test_a_request_shows_what_the_run_would_do_and_is_approved_with_a_comment(gateway, dora):
    gateway.add(message="May we?")
    page = dora.get("/approvals/a0")
    seen = text(page)
    for words in ("May we?", "shop in prod", "app.py", "Production needs approval.", "whoever is maintainer"):
        assert words in seen
    assert "<b>" not in dora.answer.text.replace("&lt;b&gt;", "").partition("app.py")[2].partition("print")[0]
    form = page.find("form", action="/approvals/a0/decision")
    digest = form.find("input", {"name": "plan_digest"})["value"]
    dora.post("/approvals/a0/decision", verdict="approve", comment=" Fine. ", plan_digest=digest)
    assert gateway.approvals["a0"].decisions[0].comment == "Fine."
    seen = text(dora.get("/approvals/a0"))
    assert "Fine." in seen
    assert "It is approved." in seen
    dora.get("/approvals/nope", status=404)


def test_a_decision_about_another_plan_is_refused_and_the_comment_kept(gateway, dora):
    gateway.add()
    page = dora.post("/approvals/a0/decision", status=409, verdict="approve", comment="keep me", plan_digest="old")
    assert "is not what you saw" in text(page)
    assert page.find("textarea").text.strip() == "keep me"
    dora.post("/approvals/a0/decision", status=422, verdict="perhaps")


def test_it_is_delegated_to_a_user(gateway, dora):
    gateway.add(plan_digest="")
    assert "in the middle of a run" in text(dora.get("/approvals/a0"))
    dora.post("/approvals/a0/delegation", to="user:default/stan")
    assert "decide" in text(dora.get("/approvals/a0"))
    assert "is no user" in text(dora.post("/approvals/a0/delegation", status=422, to="group:default/x"))


def test_the_home_page_and_the_side_bar_say_that_something_waits(portal, gateway, dora):
    gateway.add()
    stan = Visit(portal, portal.people.stranger)
    page = stan.get("/")
    assert "Waits for your approval" in text(page)
    assert "1" in text(page.find("nav").find("a", href="/approvals"))


def test_a_run_that_waits_shows_the_buttons_of_its_approval(gateway, dora):
    wait = WaitView(kind="approval", message="Waits", approval_id="a0")
    gateway.add_run(
        state="waiting",
        steps=[StepView(id="approval", index=0, name="Wait", action="flagstone:approval", state="waiting", wait=wait)],
    )
    gateway.add(message="Please look.")
    page = dora.get("/runs/1")
    assert page.find("form", action="/approvals/a0/decision")
    assert "Please look." in text(page.find(id="run-waiting"))
    gateway.approvals["a0"] = gateway.approvals["a0"].model_copy(update={"may_decide": False, "why_not": "Not you."})
    assert "Not you." in text(dora.get("/runs/1").find(id="run-waiting"))


def test_a_step_that_asks_is_answered_in_a_form_of_its_schema(gateway, dora):
    schema = {
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"type": "integer", "title": "Size"}, "note": {"type": "string", "title": "Note"}},
    }
    wait = WaitView(kind="input", message="How large?", answer_schema=schema, asked=("group:default/payments",))
    gateway.add_run(
        state="waiting", steps=[StepView(id="ask", index=0, name="Size", action="x", state="waiting", wait=wait)]
    )
    page = dora.get("/runs/1")
    assert "How large?" in text(page.find(id="run-waiting"))
    form = page.find("form", action="/runs/1/steps/ask/answer")
    shown = [field["value"] for field in form.find_all("input", {"name": "_shown"})]
    assert shown == ["size", "note"]
    again = dora.post("/runs/1/steps/ask/answer", status=422, _shown="size", size="0")
    assert "too small" in text(again.find(id="run-waiting"))
    dora.post("/runs/1/steps/ask/answer", _shown="size", size="3")
    assert gateway.answers == [("1", "ask", {"size": 3})]
    gateway.runs[0] = gateway.runs[0].model_copy(update={"steps": (), "state": "succeeded"})
    dora.post("/runs/1/steps/ask/answer", status=409, _shown="size", size="3")
