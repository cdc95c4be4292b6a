"""The catalog over HTTP: its own API under ``/api/v1``, and the one that Backstage's clients speak."""

from flagstone.portal.catalog.api.flagstone import parse_filter, router

__all__ = ["parse_filter", "router"]
