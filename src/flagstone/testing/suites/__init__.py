"""Conformance suites: one for each kind of extension. Subclass one and give it what you wrote."""
