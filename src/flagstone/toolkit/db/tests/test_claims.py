"""A name is one process's, until it ends, however that is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import text

from flagstone.toolkit.db import Database, NameClaim

CHILD = """
import sys, time
from flagstone.toolkit.db import Database, NameClaim
claim = NameClaim(Database(sys.argv[1], schema=sys.argv[2] or None), "main")
print(claim.take(), flush=True)
time.sleep(60)
"""


def test_a_name_is_taken_once_and_free_again_when_its_process_is_killed(database):
    url = database.url.render_as_string(hide_password=False)
    holder = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, database.schema or ""], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline().strip() == "True"
        mine = NameClaim(database, "main")
        assert not mine.take()
        assert not mine.renew()
        other = NameClaim(database, "other")
        assert other.take()
        other.release()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert mine.take(wait=10)
    assert mine.take(), "once more is no mistake"
    assert not NameClaim(database, "main").take()
    mine.release()
    mine.release()
    again = NameClaim(database, "main")
    assert again.take()
    again.release()


def test_a_claim_that_went_with_its_connection_is_taken_anew(database):
    if database.is_sqlite:
        pytest.skip("a file has no connection")
    mine = NameClaim(database, "main")
    assert mine.take()
    second = Database(database.url.render_as_string(hide_password=False), schema=database.schema)
    with second.engine.connect() as conn:
        killed = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
        conn.execute(text(killed))
    assert mine.renew()
    assert not NameClaim(second, "main").take()
    mine.release()
    second.close()
