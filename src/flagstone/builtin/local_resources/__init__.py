"""Resources that need nothing but this machine, or a PostgreSQL server that is there: volumes, SQLite files, generated
secrets, databases.

When they are made, for whom and who may is decided by the platform.
"""
