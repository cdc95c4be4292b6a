"""``python -m flagstone``."""

from flagstone.entrypoints.cli import main

main()
