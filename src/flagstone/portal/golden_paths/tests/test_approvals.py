"""``spec.approvals``: who has to agree before a golden path begins."""

from __future__ import annotations

import pytest

from flagstone.portal.golden_paths.model.checking import check_template
from flagstone.portal.golden_paths.model.workflows import approval_rules


def rules(given):
    problems = []
    return approval_rules(given, problems), [f"{problem.field}: {problem.message}" for problem in problems]


def test_one_rule_or_several_are_read_with_names_in_full():
    found, problems = rules({"approvers": "platform"})
    assert problems == []
    assert [(rule.of, rule.count, rule.expires_hours) for rule in found] == [(("group:default/platform",), 1, 72)]
    several = [
        {"approvers": ["role:admin", "owner"], "count": 2, "expiresHours": 4.5, "reason": "Money"},
        {"approvers": ["User:default/Ada"]},
    ]
    found, problems = rules(several)
    assert problems == []
    assert found[0].model_dump() == {
        "of": ("role:admin", "owner"),
        "count": 2,
        "expires_hours": 4.5,
        "reason": "Money",
    }
    assert found[1].of == ("user:default/ada",)
    assert rules(None) == ((), [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("platform", "names approvers"),
        ([{"count": 1}], "names approvers"),
        ([{"approvers": []}], "names approvers"),
        ([{"approvers": ["component:default/x"]}], "nobody who can be asked"),
        ([{"approvers": ["role:king"]}], "nobody who can be asked"),
        ([{"approvers": ["x"], "count": 0}], "spec.approvals[0].count"),
        ([{"approvers": ["x"]}, {"approvers": ["x"], "expiresHours": "soon"}], "spec.approvals[1].expiresHours"),
        ([{"approvers": ["x"], "approver": "y"}], "there is no 'approver'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_by_the_checker_of_templates(given, words):
    _, problems = rules(given)
    assert words in problems[0]
    spec = {"type": "x", "owner": "group:default/x", "steps": [], "approvals": given}
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "t"},
        "spec": spec,
    }
    assert [item.code for item in check_template(document)] == ["bad_approvals"]
