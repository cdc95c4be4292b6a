"""Judges of the Backstage catalog API: its public client, and vectors that were checked against a running Backstage."""
