"""The composition root: settings -> databases -> plugins -> slices -> ASGI app.

``build.build`` puts a process together, ``rooms.load_settings`` reads its settings, ``slices`` is the only list of
slices. Nothing
is imported here: the command line needs the list and must not pay for the server. Nothing imports this package but
entry points and tests.
"""
