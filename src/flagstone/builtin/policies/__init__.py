"""Policies that most organisations want, off until the section ``[policies]`` turns them on: approvals before
deployments to production, and before anything is deleted.
"""
