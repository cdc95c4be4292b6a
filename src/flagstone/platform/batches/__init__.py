"""Batches: one workflow, run once for each of many entities.

- *batch*: a workflow, the entities, how many runs may go *at once*, and after how many failures it *stops*
- *item*: one entity of a batch with its inputs; it becomes exactly one run, whatever is killed when
- *maker*: who started it; its runs have the rights that this person has when they start

Which entities a query finds, and how they fill in a form, is known by the portal. What a run may do is decided by
``workflows`` and ``runs`` as if the maker had asked for it in person.
"""

from flagstone.platform.batches.permissions import PERMISSIONS
from flagstone.platform.batches.service import BatchService

__all__ = ["PERMISSIONS", "BatchService"]
