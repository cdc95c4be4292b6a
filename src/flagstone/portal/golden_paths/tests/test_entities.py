"""Which entities are looked up before a run begins."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flagstone.contracts.runs import StepDefinition
from flagstone.kernel.actor import Principal
from flagstone.portal.golden_paths.service.entities import entities_for

ANN = Principal("user", "user:ann", "Ann", role="developer", entity_ref="user:default/ann")


class Catalog:
    """Knows everything that is called so."""

    def get_many(self, refs):
        return {ref: SimpleNamespace(data={"metadata": {"name": ref}}) for ref in refs if "gone" not in ref}


def step(action="catalog:fetch", each=None, **inputs):
    return StepDefinition(id="s", name="s", action=action, input=inputs, each=each)


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        (step(entityRef="${{ parameters.c }}", defaultKind="component"), ["component:default/shop"]),
        (step(entityRefs=["${{ user.ref }}", "system:ns/A", "api:gone"]), ["system:ns/a", "user:default/ann"]),
        (step(entityRef="${{ each.value }}", each="${{ parameters.many }}"), ["api:default/a", "api:default/b"]),
        (step("catalog:delete-entity", entityRef="component:shop"), ["component:default/shop"]),
        (step(entityRef="${{ steps.x.output.ref }}"), []),
        (step(entityRef="${{ broken"), []),
        (step(entityRef="no-kind"), []),
        (step(entityRef="", each="${{ parameters.c }}"), []),
        (step("debug:log", entityRef="component:shop"), []),
    ],
)
def test_what_the_inputs_say_before_the_run_is_looked_up(definition, found):
    inputs = {"c": "shop", "many": ["api:a", "api:b"]}
    known = entities_for([definition], inputs, ANN, Catalog())
    assert known == {ref: {"metadata": {"name": known[ref]["metadata"]["name"]}} for ref in sorted(found)}
