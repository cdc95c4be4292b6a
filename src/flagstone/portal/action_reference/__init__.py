"""The reference of actions in the portal: what each kind of step takes, gives, may and undoes.

What it shows is what the platform says of its actions; running them, and templates, belong to other slices.
"""
