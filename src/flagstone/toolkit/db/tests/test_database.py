"""Transactions that nest, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, select
from sqlalchemy.exc import DBAPIError

from flagstone.testing.databases import migrated
from flagstone.toolkit.db import JsonText, UtcDateTime, among, insert_ignore, upsert

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("data", JsonText),
    Column("at", UtcDateTime),
)


@pytest.fixture
def db(database):
    metadata.create_all(database.engine)
    return database


def names(db):
    with db.read() as conn:
        return sorted(conn.execute(select(things.c.name)).scalars())


def test_a_change_inside_a_change_is_kept_or_lost_with_it(db):
    with pytest.raises(RuntimeError), db.write() as outer:
        insert_ignore(outer, things, {"name": "a"}, key=["name"])
        with db.write() as inner:
            assert inner is outer
            insert_ignore(inner, things, {"name": "b"}, key=["name"])
        raise RuntimeError
    assert names(db) == []


def test_what_waits_for_the_commit_runs_after_it_and_never_without_it(db):
    seen = []
    with db.write() as conn:
        insert_ignore(conn, things, {"name": "a"}, key=["name"])
        db.after_commit(lambda: seen.append(names(db)))
        assert seen == []
    assert seen == [["a"]]
    with pytest.raises(RuntimeError), db.write():
        db.after_commit(lambda: seen.append("lost"))
        raise RuntimeError
    assert seen == [["a"]]


def test_writers_queue_instead_of_failing(db):
    def write(number):
        with db.write() as conn:
            for step in range(5):
                insert_ignore(conn, things, {"name": f"{number}-{step}"}, key=["name"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(db)) == 60


def test_an_upsert_changes_what_is_there_and_adds_what_is_not(db):
    with db.write() as conn:
        upsert(conn, things, [{"name": "a", "data": {"n": 1}}], key=["name"], update=["data"])
        upsert(
            conn, things, [{"name": "a", "data": {"n": 2}}, {"name": "b", "data": None}], key=["name"], update=["data"]
        )
        assert insert_ignore(conn, things, {"name": "a", "data": {"n": 3}}, key=["name"]) == 0
    with db.read() as conn:
        assert conn.execute(select(things.c.data).where(things.c.name == "a")).scalar() == {"n": 2}


def test_times_come_back_aware_and_naive_ones_are_refused(db):
    moment = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    with db.write() as conn:
        conn.execute(things.insert(), {"name": "a", "at": moment})
    with db.read() as conn:
        assert conn.execute(select(things.c.at)).scalar() == moment
    with pytest.raises(Exception, match="time zone"), db.write() as conn:
        conn.execute(things.insert(), {"name": "b", "at": datetime(2026, 1, 1)})  # noqa: DTZ001


def test_migrations_of_two_slices_are_applied_once(database, tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "0001_create.py").write_text(
            "from alembic import op\nimport sqlalchemy as sa\n"
            f"revision='{name}_0001'\ndown_revision=None\nbranch_labels=('{name}',)\ndepends_on=None\n"
            f"def upgrade():\n    op.create_table('{name}_things', sa.Column('id', sa.Integer, primary_key=True))\n"
            f"def downgrade():\n    op.drop_table('{name}_things')\n"
        )
    folders = {"one": tmp_path / "one", "two": tmp_path / "two"}
    migrated(database, **folders)
    migrated(database, **folders)
    (tmp_path / "one" / "0002_more.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        "revision='one_0002'\ndown_revision='one_0001'\nbranch_labels=None\ndepends_on=None\n"
        "def upgrade():\n    op.add_column('one_things', sa.Column('name', sa.Text))\n"
        "def downgrade():\n    op.drop_column('one_things', 'name')\n"
    )
    migrated(database, **folders)
    from sqlalchemy import inspect

    with database.read() as conn:
        assert {column["name"] for column in inspect(conn).get_columns("one_things")} == {"id", "name"}


def test_the_last_words_of_a_transaction_come_last_and_can_still_stop_it(db):
    order = []

    def last(conn):
        order.append("last")
        insert_ignore(conn, things, {"name": "last"}, key=["name"])

    with db.write() as conn:
        db.before_commit(last)
        insert_ignore(conn, things, {"name": "first"}, key=["name"])
        order.append("body")
    assert order == ["body", "last"]
    assert names(db) == ["first", "last"]

    def refuse(_conn):
        raise RuntimeError

    with pytest.raises(RuntimeError), db.write() as conn:
        db.before_commit(refuse)
        insert_ignore(conn, things, {"name": "lost"}, key=["name"])
    assert names(db) == ["first", "last"]


def test_what_must_be_kept_is_written_after_a_rollback_and_only_then(db):
    def keep():
        with db.write() as conn:
            insert_ignore(conn, things, {"name": "denial"}, key=["name"])

    with db.write():
        db.after_rollback(keep)
    assert names(db) == []
    with pytest.raises(RuntimeError), db.write():
        db.after_rollback(keep)
        db.after_commit(lambda: pytest.fail("nothing was committed"))
        raise RuntimeError
    assert names(db) == ["denial"]


def test_a_page_that_reads_over_one_connection_sees_what_it_writes_and_survives_a_statement_that_fails(db):
    with db.snapshot():
        with db.read() as first, db.read() as second:
            assert first is second
        assert names(db) == []
        with pytest.raises(DBAPIError), db.read() as conn:
            conn.exec_driver_sql("SELECT nothing FROM nowhere")
        assert names(db) == []
        with db.write() as conn:
            conn.execute(things.insert().values(name="a"))
            assert names(db) == ["a"]
        assert names(db) == ["a"]
        with pytest.raises(ZeroDivisionError), db.write() as conn:
            conn.execute(things.insert().values(name="b"))
            raise ZeroDivisionError
        assert names(db) == ["a"]
    with db.read() as first, db.read() as second:
        assert first is not second


def test_a_snapshot_is_one_threads_own(db):
    with db.snapshot(), db.read() as mine:
        found = []

        def other():
            with db.read() as conn:
                found.append(conn is mine)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [False]


def test_a_connection_that_was_ended_while_nobody_used_it_is_replaced_without_an_error(db):
    if db.is_sqlite:
        pytest.skip("a file ends no connection")

    def process(use):
        with use() as conn:
            return conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

    reading, writing = process(db.read), process(db.write)
    assert process(db.read) == reading
    with db.engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({reading}, 5000)")
    assert process(db.read) != reading
    reading = process(db.read)
    with db.read() as other:
        if writing != reading:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({writing}, 5000)")
    assert process(db.write) != writing


def test_reading_leaves_no_transaction_open(db):
    if db.is_sqlite:
        pytest.skip("only a server shows what its connections do")
    with db.read() as conn:
        conn.execute(select(things.c.name)).all()
        mine = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with db.engine.connect() as other:
            state = other.exec_driver_sql("SELECT state FROM pg_stat_activity WHERE pid = %s", (mine,)).scalar_one()
    assert state == "idle"


@pytest.mark.parametrize("wanted", [[], ["a"], ["a", "c", "x" * 300, "'", "{}", 'b"']])
def test_rows_among_many_values_are_found(db, wanted):
    with db.write() as conn:
        for number, name in enumerate(("a", "b", "c", "'", "{}", 'b"')):
            insert_ignore(conn, things, {"id": number, "name": name}, key=["name"])
        found = conn.execute(select(things.c.name).where(among(conn, things.c.name, wanted))).scalars()
        assert sorted(found) == sorted(name for name in wanted if len(name) < 300)
        numbers = conn.execute(select(things.c.id).where(among(conn, things.c.id, [0, 2, 99]))).scalars()
        assert sorted(numbers) == [0, 2]
