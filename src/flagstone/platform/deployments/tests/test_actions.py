"""Plans: what is shown before anything happens."""

from __future__ import annotations

from flagstone.platform.deployments.tests.world import OWNER, STRANGER, app_files

DEPLOY = ("deploy", "flagstone:deploy", {"repository": "shop/orders"})


def facts(step):
    return {change.kind: change.facts for change in step.changes}["deployment"]


def test_a_first_deployment_shows_what_would_run_and_what_happens_if_it_fails(service):
    service.world.commit(app_files("v1"))
    plan = service.plan(DEPLOY)
    assert plan.problems == ()
    assert plan.allowed
    (step,) = plan.steps
    assert [(change.kind, change.op, change.subject) for change in step.changes] == [
        ("release", "create", "orders r1"),
        ("deployment", "create", "orders in development"),
    ]
    assert facts(step) == {
        "Workload": "orders",
        "Release": "r1 (the first here)",
        "Environment": "Development (development)",
        "Runtime": "local",
        "Address": "a port of its own",
        "Command": "python app.py",
        "Health": "GET / on port 8080",
        "Ports": "http 8080/TCP",
        "If it fails": "r1 has 10 seconds to become healthy; if it does not, the run fails and shows its last log lines.",
    }
    assert service.world.all() == []


def test_the_next_deployment_shows_from_which_release_to_which(service):
    service.world.commit(app_files("v1"))
    service.world.deploy()
    commit = service.world.commit(app_files("v2"))
    plan = service.plan(DEPLOY)
    assert facts(plan.steps[0])["Release"] == "r1 → r2"
    assert facts(plan.steps[0])["If it fails"].endswith("r1 serves until then, and goes on serving if r2 does not.")
    assert plan.steps[0].changes[-1].op == "change"
    assert service.plan(DEPLOY).digest == plan.digest
    assert commit


def test_a_template_is_planned_with_the_files_that_it_will_create(service):
    files = {f"skeleton/{path}": text for path, text in app_files("v1").items()}
    plan = service.plan(("files", "test:write", {"files": files}), DEPLOY)
    assert plan.problems == ()
    assert facts(plan.steps[1])["Command"] == "python app.py"
    assert plan.complete


def test_a_fault_in_the_files_of_a_template_is_a_problem_of_the_plan(service):
    files = {**app_files("v1"), "score.yaml": "apiVersion: score.dev/v1b1\n"}
    plan = service.plan(("files", "test:write", {"files": files}), DEPLOY)
    assert "metadata is required" in plan.problems[0]


def test_what_is_not_there_yet_is_said_not_to_be_known(service):
    plan = service.plan(DEPLOY)
    assert plan.problems == ()
    assert not plan.complete
    assert "when shop/orders has its first commit" in plan.steps[0].notes[0]


def test_who_may_not_is_told_in_the_plan(service):
    service.world.commit(app_files("v1"))
    plan = service.plan(DEPLOY, who=STRANGER, owner="group:default/search")
    assert "group:default/checkout" in plan.problems[0]


def test_stop_start_and_rollback_say_what_they_do(service):
    service.world.commit(app_files("v1"))
    view = service.world.deploy()
    service.world.commit(app_files("v2"))
    service.world.deploy()
    about = {"deployment": view.id}
    stop = service.plan(("stop", "flagstone:stop", about)).steps[0].changes[0]
    assert (stop.subject, stop.detail.split(";")[0]) == ("orders in development", "Its processes end")
    start = service.plan(("start", "flagstone:start", about)).steps[0].changes[0]
    assert start.detail == "r2 is started again."
    back = service.plan(("back", "flagstone:rollback", about)).steps[0].changes[0]
    assert back.facts["Release"] == "r2 → r1"
    assert "no release 'r7'" in service.plan(("back", "flagstone:rollback", {**about, "release": "r7"})).problems[0]
    assert "There is no deployment 'x'" in service.plan(("stop", "flagstone:stop", {"deployment": "x"})).problems[0]


def test_a_promotion_says_which_release_goes_from_where_to_where(service):
    service.world.commit(app_files("v1"))
    about = {"deployment": service.world.deploy().id}
    (step,) = service.plan(("on", "flagstone:promote", {**about, "environment": "staging"})).steps
    assert step.changes[0].subject == "orders in staging"
    assert step.changes[0].facts["Release"] == "r1"
    assert step.changes[0].facts["From"] == "development"
    backwards = service.plan(("on", "flagstone:promote", {**about, "environment": "development"}))
    assert "does not come after development" in backwards.problems[0]
    nowhere = service.plan(("on", "flagstone:promote", {**about, "environment": "mars"}))
    assert "no environment named 'mars'" in nowhere.problems[0]
    later = service.plan(("on", "flagstone:promote", {"deployment": "not-yet", "environment": "staging"}))
    assert later.problems == ()
    assert "is known when not-yet is deployed" in later.steps[0].notes[0]


def test_a_removal_lists_everything_that_goes(service):
    service.world.commit(app_files("v1"))
    view = service.world.deploy()
    changes = service.plan(("remove", "flagstone:undeploy", {"deployment": view.id})).steps[0].changes
    assert [change.subject for change in changes] == [
        "the workload orders in development, on the runtime local",
        f"its process {view.pid}",
        f"its address {view.url}",
        "its logs and its working files",
        "the files of 1 release",
        "orders in development",
    ]
    assert {change.op for change in changes} == {"delete"}
    assert service.world.service.get(view.id, OWNER).state == "healthy"
