"""The door over HTTP: a portal that runs alone asks a platform at a URL. Only the REST API of the platform is used."""
