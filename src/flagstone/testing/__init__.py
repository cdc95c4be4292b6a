"""Test helpers that are shipped, so that plugin authors test as we do: databases, people, an app, conformance
suites.
"""
