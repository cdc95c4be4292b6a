"""The smallest shared words: errors, refs, ids, clock, paging, actor.

Standard library only and no I/O. What needs a database, a network or a framework belongs to ``toolkit``.
"""
