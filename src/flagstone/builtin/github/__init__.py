"""Actions that work with GitHub, under the names and with the inputs that Backstage's templates use.

Everything goes through one client of the REST API (``client``), to the hosts that the settings name, with the
credential that the vault keeps for each. Reading catalogs from GitHub, webhooks and signing in do not belong here.
"""
