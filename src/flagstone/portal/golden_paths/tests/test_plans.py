"""What the review says of a plan, and test cases of templates judged."""

from __future__ import annotations

import pytest

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.plans import Change, Plan, PlannedFile, PlannedStep
from flagstone.contracts.policy import Verdict
from flagstone.kernel.errors import Invalid
from flagstone.portal.golden_paths import golden_files, judge_case, judge_refusal, read_cases
from flagstone.portal.golden_paths.model import read_plan
from flagstone.portal.golden_paths.web.plans import plan_files

PLAN = Plan(
    title="T",
    steps=(
        PlannedStep(
            id="publish",
            name="Publish",
            action="publish:git",
            inputs={"repoUrl": "x", "deep": {"list": [1, {"a": 2}]}},
            changes=(
                Change(kind="repository", op="create", subject="acme/x"),
                Change(kind="file", op="create", subject="."),
                Change(kind="file", op="change", subject="app.py", facts={"Difference": "@@ -1 +1 @@\n-a\n+b"}),
                Change(kind="file", op="change", subject="far.py", facts={"Difference": "@@ -1 +1 @@\n-a\n+b"}),
            ),
        ),
        PlannedStep(id="later", name="Later", action="debug:log", skipped=True),
    ),
    files=(
        PlannedFile(path="app.py", text="b\n", before="a\n", op="change"),
        PlannedFile(path="run.sh", text="x\n", executable=True),
        PlannedFile(path="logo.png", size=9),
        PlannedFile(path="old.txt", op="delete", text=""),
    ),
    output={"links": [{"title": "Site", "url": "https://x.example"}, {"title": "Nothing"}], "entityRef": "c:d/x"},
    verdicts=(Verdict(policy="p", severity="deny", message="No."), Verdict(policy="q", severity="warn", message="Hm.")),
    approvals=(ApprovalRule(of=("group:default/a", "role:maintainer", "owner"), count=2, reason="It costs."),),
    cost="12.50 USD a month",
)


def case(**expect):
    (found,) = read_cases({"cases": [{"name": "c", "expect": expect}]}, "t.yaml")
    return found


def faults(**expect):
    return judge_case(case(**expect), PLAN, None)


def test_the_review_tells_approvals_verdicts_links_and_differences():
    facts = read_plan(PLAN)
    assert [group.title for group in facts.groups] == ["Repository", "Files that exist already"]
    assert [change.subject for change in facts.groups[1].changes] == ["far.py"], "the tree shows the other one"
    assert facts.sentence == "This will create 2 files and 1 repository, and change 1 file, and delete 1 file"
    (agreement,) = facts.agreements
    assert agreement.refs == ("group:default/a",)
    assert agreement.words == ("those with the role maintainer", "the owners")
    assert (agreement.count, agreement.reason) == (2, "It costs.")
    assert [item.message for item in facts.denied] == ["No."]
    assert facts.links == (("Site", "https://x.example"),)
    entries = {entry.path: entry for entry in plan_files(PLAN)}
    assert [line.text for line in entries["app.py"].lines] == ["a", "b"]
    assert entries["run.sh"].before is None
    assert entries["logo.png"].note == "9 bytes, not text"


def test_many_files_are_shown_short_and_without_colours():
    many = Plan(title="T", files=tuple(PlannedFile(path=f"f{n}.py", text="x" * 30_000) for n in range(200)))
    entries = plan_files(many)
    assert sum(entry.plain for entry in entries) == 160
    assert all(len(entry.content or "") < 21_000 for entry in entries)


@pytest.mark.parametrize(
    "expect",
    [
        {"files": {"app.py": "b\n", "run.sh": {"executable": True}, "*.png": True, "Docker*": False, "old.txt": False}},
        {"steps": {"publish": {"action": "publish:git", "input": {"deep": {"list": [1, {"a": 2}]}}}}},
        {"steps": {"later": {"skipped": True}}},
        {"changes": [{"kind": "repository", "subject": "acme/x"}]},
        {"output": {"entityRef": "c:d/x"}, "links": [{"title": "Site"}]},
    ],
)
def test_a_case_that_is_as_expected_has_no_faults(expect):
    assert faults(**expect) == []


@pytest.mark.parametrize(
    ("expect", "fault"),
    [
        ({"files": {"app.py": "c\n"}}, "+b"),
        ({"files": {"app.py": {"contains": ["z"]}}}, "does not contain 'z'"),
        ({"files": {"app.py": {"lacks": ["b"]}}}, "contains 'b'"),
        ({"files": {"ap.py": "x"}}, "there is app.py"),
        ({"files": {"logo.png": "x"}}, "it is not text"),
        ({"files": {"app.py": {"executable": True}}}, "not executable"),
        ({"files": {"*.md": True}}, "there is no such file"),
        ({"files": {"*.png": False}}, "there is logo.png"),
        ({"steps": {"nope": {}}}, "there is none"),
        ({"steps": {"publish": {"action": "x"}}}, "its action is publish:git"),
        ({"steps": {"publish": {"skipped": True}}}, "not skipped"),
        ({"steps": {"publish": {"input": {"repoUrl": "y"}}}}, "repoUrl is 'x', not 'y'"),
        ({"steps": {"publish": {"input": {"deep": {"list": [1]}}}}}, "has 2 entries, not 1"),
        ({"changes": [{"kind": "entity"}]}, "create repository acme/x"),
        ({"output": {"x": 1}}, "output.x is not there"),
        ({"links": [{"title": "Other"}]}, "there is no link"),
        ({"refused": True}, "it would run"),
        ({"golden": "g"}, "there is no folder g"),
    ],
)
def test_a_case_that_is_not_says_what_is_different(expect, fault):
    assert fault in "\n".join(faults(**expect))


def test_golden_folders_hold_every_file():
    files = golden_files(PLAN)
    assert files == {"app.py": "b\n", "run.sh": "x\n", "logo.png.binary": "9 bytes\n"}
    assert judge_case(case(golden="g"), PLAN, files) == []
    told = "\n".join(judge_case(case(golden="g"), PLAN, {"app.py": "a\n", "gone": "x", "run.sh": "x\n"}))
    assert "app.py: it is not as in g" in told
    assert "gone: it is in g, but was not written" in told
    assert "logo.png.binary: it is not in g" in told


def test_refusals_are_judged_by_their_reason():
    broken = PLAN.model_copy(update={"problems": ("There is no host.",)})
    assert judge_case(case(refused="no host"), broken, None) == []
    assert "but not because of" in judge_case(case(refused="other"), broken, None)[0]
    assert judge_case(case(), broken, None) == ["it would fail: There is no host."]
    assert judge_refusal(case(refused=True), "bad answers") == []
    assert judge_refusal(case(), "bad answers") == ["it was refused: bad answers"]


@pytest.mark.parametrize(
    "document", [None, {}, {"cases": []}, {"cases": [{"name": "a"}, {"name": "a"}]}, {"cases": [{"name": "a", "x": 1}]}]
)
def test_files_that_hold_no_cases_are_told(document):
    with pytest.raises(Invalid, match=r"t\.yaml"):
        read_cases(document, "t.yaml")
