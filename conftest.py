"""Fixtures for every test, here and in the slices: databases of both kinds."""

from __future__ import annotations

import os

import pytest

from flagstone.testing.databases import fresh_database, start_postgres

BACKENDS = tuple(os.environ.get("FLAGSTONE_TEST_BACKENDS", "sqlite,postgres").split(","))


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL for the whole session (of one test process)."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Each test that asks runs on both databases."""
    return request.param


@pytest.fixture
def database(backend, tmp_path, request):
    """A fresh, empty database on SQLite and on PostgreSQL."""
    server = request.getfixturevalue("postgres_server") if backend == "postgres" else None
    with fresh_database(backend, tmp_path, server) as db:
        yield db


@pytest.fixture
def sqlite_database(tmp_path):
    """A fresh, empty SQLite database."""
    with fresh_database("sqlite", tmp_path, None) as db:
        yield db
