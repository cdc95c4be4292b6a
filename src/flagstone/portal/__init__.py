"""SEE AND ASK: what people look at and start things from. Never changes the outside world, never imports the
platform.
"""
