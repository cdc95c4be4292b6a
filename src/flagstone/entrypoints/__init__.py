"""One small file per process: the command line, the server, the ASGI app for other servers."""
