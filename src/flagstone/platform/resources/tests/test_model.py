"""Identity, criteria and params."""

from __future__ import annotations

import re

import pytest

from flagstone.contracts.resources import ResourceCriteria
from flagstone.platform.resources import resource_uid
from flagstone.platform.resources.model import Place, matches, name_problem, param_problems, specificity

PLACE = Place("live", "production", "component:default/orders", "db")


def test_the_id_of_a_resource_is_the_same_for_ever_and_fits_everywhere():
    ref = "component:default/orders"
    assert resource_uid(ref, "live", "postgres", "default", "db") == "postgres-db-live-749bd51b8f6d"
    assert resource_uid(ref.upper(), "live", "postgres", "default", "db") == "postgres-db-live-749bd51b8f6d"
    longest = resource_uid(ref, "e" * 63, "T" * 63, "c" * 63, "n" * 63)
    assert re.fullmatch(r"[a-z0-9-]{1,62}", longest)
    others = {resource_uid(*parts) for parts in [(None, "a", "b", "c", "d"), ("", "a", "b", "c", "d.e")]}
    assert len(others) == 2


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({}, True),
        ({"environment_type": "production"}, True),
        ({"environment_type": "production", "component": "component:default/other"}, False),
        ({"environment": "live", "name": "db"}, True),
        ({"environment": "test"}, False),
    ],
)
def test_criteria_fit_when_all_that_is_said_is_so(criteria, fits):
    assert matches(ResourceCriteria(**criteria), PLACE) is fits


def test_the_most_specific_field_decides_and_then_the_next():
    ordered = [
        {},
        {"environment_type": "t"},
        {"component": "c"},
        {"component": "c", "environment_type": "t"},
        {"environment": "e"},
        {"environment": "e", "component": "c"},
        {"name": "n"},
        {"name": "n", "environment": "e"},
    ]
    ranks = [specificity(ResourceCriteria(**one)) for one in ordered]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "x" * 64, "a\n", "../a"])
def test_a_bad_name_is_told(name):
    assert name_problem(name) is not None


def test_everything_that_is_wrong_with_params_is_told_by_field():
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False}
    fields = [problem.field for problem in param_problems(schema, {"size": "big", "other": 1})]
    assert fields == ["params", "params.size"]
