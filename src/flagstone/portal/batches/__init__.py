"""Batches as people see them: one golden path for every entity that a query of the catalog finds.

- *query*: what finds the entities, as in the catalog's list
- *preview*: the entities that were found, what each run would be given, and what is wrong with it
- *digest*: stands for exactly what a preview shows; only that is started

The platform keeps batches and starts their runs; this slice finds the entities and fills in the form for each.
"""

from flagstone.portal.batches.service import BatchPreviews, BatchReader

__all__ = ["BatchPreviews", "BatchReader"]
