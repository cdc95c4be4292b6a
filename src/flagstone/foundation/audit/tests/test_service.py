"""The audit log: what is written, what is kept out, and that nobody can change it unseen."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, insert, select, text, update

from flagstone.foundation.audit import AuditHead, AuditLog, AuditQuery, redact
from flagstone.foundation.audit.store import metadata, rows
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.testing.databases import migrated, schema_differences
from flagstone.toolkit.telemetry import request_id

MIGRATIONS = Path(__file__).parents[1] / "migrations"
ADA = Principal("user", "user:1", "Ada", role="developer", via="ui")
BOB = Principal("user", "user:2", "Bob", role="admin", via="cli")
CANARY = "CANARY-7f3a9c55e1"


@pytest.fixture
def log(database):
    return AuditLog(migrated(database, audit=MIGRATIONS))


def fill(log, count=5):
    for number in range(count):
        log.record(
            ADA if number % 2 else BOB, "catalog.entity.delete", f"component:default/{number}", detail={"n": number}
        )


def test_the_migration_makes_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, audit=MIGRATIONS), metadata) == []


def test_a_row_says_who_did_what_to_what_how_and_in_which_request(log):
    token = request_id.set("req-12345678")
    log.record(ADA, "runs.cancel", "run:7", outcome="denied", detail={"reason": "not the owner", "tries": 2})
    request_id.reset(token)
    (row,) = log.list().items
    assert (row.actor_id, row.actor_name, row.actor_kind, row.via) == ("user:1", "Ada", "user", "ui")
    assert (row.action, row.resource, row.outcome) == ("runs.cancel", "run:7", "denied")
    assert row.detail == {"reason": "not the owner", "tries": 2}
    assert row.request_id == "req-12345678"
    assert abs(row.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_change_that_is_rolled_back_leaves_no_row_but_its_denial_does(log, database):
    def change():
        with database.write():
            log.record(ADA, "catalog.entity.delete", "component:default/a")
            log.record(ADA, "catalog.entity.delete", "component:default/b", outcome="denied")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()
    assert [(row.resource, row.outcome) for row in log.list().items] == [("component:default/b", "denied")]
    with database.write():
        log.record(ADA, "catalog.entity.delete", "component:default/c", outcome="denied")
    assert len(log.list().items) == 2, "and only once when the transaction is kept"
    assert log.verify().ok


def test_rows_are_found_by_actor_action_resource_outcome_and_time(log):
    start = datetime.now(UTC)
    log.record(ADA, "catalog.entity.delete", "component:default/a")
    log.record(ADA, "catalog.entity_kind.add", "kind:x")
    log.record(BOB, "runs.start", "run:1", outcome="failed")

    def found(**filters):
        return [row.action for row in log.list(AuditQuery(**filters)).items]

    assert found(actor="user:1") == ["catalog.entity_kind.add", "catalog.entity.delete"]
    assert found(actor="bo") == ["runs.start"]
    assert found(action="catalog.entity") == ["catalog.entity.delete"]
    assert found(action="catalog") == ["catalog.entity_kind.add", "catalog.entity.delete"]
    assert found(action="%") == []
    assert found(resource="run:1") == ["runs.start"]
    assert found(outcome="failed") == ["runs.start"]
    assert found(since=start, until=datetime.now(UTC) + timedelta(seconds=1)) == found()
    assert found(until=start) == []


def test_pages_go_from_new_to_old_without_gaps_while_rows_are_added(log):
    fill(log, 5)
    first = log.list(AuditQuery(limit=2))
    fill(log, 3)
    second = log.list(AuditQuery(limit=2, cursor=first.next_cursor))
    third = log.list(AuditQuery(limit=2, cursor=second.next_cursor))
    assert [row.seq for row in (*first.items, *second.items, *third.items)] == [5, 4, 3, 2, 1]
    assert third.next_cursor is None
    for cursor in ("nonsense", base64.urlsafe_b64encode(b'["x"]').decode(), base64.urlsafe_b64encode(b"[]").decode()):
        with pytest.raises(Invalid):
            log.list(AuditQuery(cursor=cursor))


def test_an_untouched_log_verifies(log):
    assert log.verify().ok
    fill(log)
    result = log.verify()
    assert (result.ok, result.rows, result.broken_seq) == (True, 5, None)
    assert result.head == log.head()


@pytest.mark.parametrize("column", ["action", "resource", "actor_id", "outcome", "request_id", "hash", "prev_hash"])
def test_a_row_that_was_edited_is_named(log, database, column):
    fill(log)
    with database.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 3).values({column: "x"}))
    result = log.verify()
    assert (result.ok, result.broken_seq) == (False, 3)


def test_edited_details_and_times_are_found(log, database):
    fill(log)
    with database.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 2).values(detail={"n": 99}))
    assert log.verify().broken_seq == 2
    with database.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 1).values(at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert log.verify().broken_seq == 1


def test_a_row_that_was_removed_swapped_or_slipped_in_is_named(log, database):
    fill(log)
    with database.write() as conn:
        conn.execute(delete(rows).where(rows.c.seq == 3))
    assert (log.verify().broken_seq, log.verify().message) == (3, "Row 3 is missing.")
    with database.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 4).values(seq=3))
    assert log.verify().broken_seq == 3
    with database.write() as conn:
        row = dict(conn.execute(select(rows).where(rows.c.seq == 1)).mappings().one())
        conn.execute(insert(rows), row | {"seq": 0})
    assert log.verify().ok is False


def test_whoever_recomputes_one_hash_breaks_the_next_row(log, database):
    fill(log)
    row = next(row for row in log.list().items if row.seq == 2)
    forged = type(row)(**{name: getattr(row, name) for name in row.__slots__} | {"resource": "harmless"})
    with database.write() as conn:
        conn.execute(update(rows).where(rows.c.seq == 2).values(resource="harmless", hash=forged.digest()))
    assert log.verify().broken_seq == 3


def test_a_head_kept_elsewhere_proves_that_the_tail_is_there_and_that_history_is_the_same(log, database):
    fill(log)
    known = log.head()
    assert log.verify(known).ok
    with database.write() as conn:
        conn.execute(delete(rows).where(rows.c.seq > 3))
    assert log.verify().ok, "a cut tail cannot be seen from inside"
    result = log.verify(known)
    assert (result.ok, result.broken_seq) == (False, 4)
    fill(log, 4)
    result = log.verify(known)
    assert (result.ok, result.broken_seq) == (False, 5)
    assert log.verify(AuditHead(0, "")).ok


def test_rows_written_at_the_same_time_make_one_chain(log, database):
    def write():
        for _ in range(5):
            with database.write():
                fill(log, 2)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (log.verify().ok, log.verify().rows) == (True, 60)


def test_no_secret_gets_into_a_row_by_whatever_name_or_nesting(log, database):
    detail = {
        "password": CANARY,
        "apiKey": CANARY,
        "nested": [{"client_secret": CANARY, "headers": {"Authorization": f"Bearer {CANARY}"}}],
        "value": SecretStr(CANARY),
        "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"token": CANARY}}}}}}},
        "url": f"https://ada:{CANARY}@git.example.com/x",
        "curl": f"-H 'Authorization: Bearer {CANARY}'",
        "pat": f"fst_pat_{CANARY.replace('-', '')}",
        "token_id": "abc",
        "count": 3,
    }
    log.record(ADA, "x.y", f"https://ada:{CANARY}@example.com", detail=detail)
    with database.read() as conn:
        stored = str(list(conn.execute(text("SELECT * FROM audit_rows"))))
    assert CANARY not in stored
    assert CANARY.replace("-", "") not in stored
    (row,) = log.list().items
    assert (row.detail["token_id"], row.detail["count"], row.detail["password"]) == ("abc", 3, "[redacted]")


def test_details_are_bounded_and_always_json():
    assert redact("x" * 10_000)[-1] == "…"
    assert len(redact(list(range(1000)))) == 100
    assert redact(
        {"when": datetime(2026, 1, 1, tzinfo=UTC), "what": Path("/a"), "set": {"b", "a"}, "nul": "a\x00b"}
    ) == {
        "when": "2026-01-01T00:00:00.000Z",
        "what": "/a",
        "set": ["a", "b"],
        "nul": "ab",
    }
