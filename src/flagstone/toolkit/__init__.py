"""Technology without domain: each folder could be a library of its own. What knows an entity or a run does not
belong here.
"""
