"""Runs: the only place that executes anything.

- *run*: one execution of a workflow, with an actor, inputs, steps, a log, outputs; it keeps the definition it started with
- *step*, *attempt*: its parts (a turn of ``each`` is a step of its own, ``id[key]``) and the tries of one
- *intent*: written before a side effect, so that a recovery knows to probe instead of doing it twice
- *fence*: the number of the executor that has the run; whatever an older one still writes is refused

What a workflow must look like, and its plan, belong to ``workflows``; what actions do belongs to plugins.
"""
