"""What both rooms stand on: events, audit, vault, access, identity.

    identity > access > audit, vault > events      who may import whom

Nothing here knows an entity, a run or a deployment: what belongs to one room does not belong here.
"""
