"""Actions that every template may use: files of the workspace, the log, the catalog. Inputs as Backstage names them.

What runs or hosts something brings its own actions (``deployments``, ``repositories``).
"""
