"""Databases on a real server."""

from __future__ import annotations

from typing import ClassVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from flagstone.builtin.local_resources.postgresql import PostgresConfig, PostgresDriver, _options
from flagstone.builtin.local_resources.types import POSTGRES
from flagstone.kernel.errors import Invalid, Permanent, Temporary
from flagstone.testing.suites.driver_suite import DriverSuite, PowerCut


@pytest.fixture
def admin(postgres_server):
    """A connection of the superuser."""
    with psycopg.connect(postgres_server.url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def names(admin, like):
    rows = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1", [like])
    return [row[0] for row in rows.fetchall()]


class TestPostgresql(DriverSuite):
    type = POSTGRES
    params: ClassVar = {"connections": 5}
    changed: ClassVar = {"connections": 9}

    @pytest.fixture
    def make_driver(self):
        return PostgresDriver

    @pytest.fixture
    def config(self):
        return {"admin_secret": "pg-admin", "prefix": "acme_"}

    @pytest.fixture
    def vault(self, postgres_server):
        return {"pg-admin": postgres_server.url}

    @pytest.fixture(autouse=True)
    def tidy(self, admin, uid):
        yield
        for name in names(admin, f"%{uid[-8:].strip('-')}%"):
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def test_its_role_owns_its_database_and_enters_no_other(self, bench, uid, admin, postgres_server):
        outputs = bench.driver.provision(bench.request(uid, self.params))
        own = make_conninfo(
            host=outputs["host"],
            port=outputs["port"],
            dbname=outputs["database"],
            user=outputs["username"],
            password=outputs["password"],
        )
        with psycopg.connect(own) as connection:
            connection.execute("CREATE TABLE orders (id INTEGER)")
        other = bench.driver.provision(bench.request(f"{uid[:-1]}x", self.params))
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(make_conninfo(own, dbname=other["database"]))
        bench.driver.remove(bench.request(f"{uid[:-1]}x", self.params), delete_data=True)

    def test_its_password_is_never_sent_and_only_scrambled_on_the_server(self, bench, uid, admin):
        outputs = bench.driver.provision(bench.request(uid, self.params))
        query = "SELECT rolpassword, rolconnlimit FROM pg_authid WHERE rolname = %s"
        stored, limit = admin.execute(query, [outputs["username"]]).fetchone()
        assert stored.startswith("SCRAM-SHA-256$")
        assert limit == 5

    def test_its_data_are_kept_and_nobody_signs_in_any_more(self, bench, uid, admin):
        outputs = bench.driver.provision(bench.request(uid, self.params))
        own = make_conninfo(host=outputs["host"], port=outputs["port"], dbname=outputs["name"], user=outputs["name"])
        open_one = psycopg.connect(own, autocommit=True)
        open_one.execute("CREATE TABLE orders AS SELECT 7 AS id")
        (line,) = bench.driver.remove(bench.request(uid, self.params, known=outputs), delete_data=False)
        (kept,) = names(admin, f"kept_%{uid[-8:]}")
        assert kept in line
        with pytest.raises(psycopg.OperationalError):
            open_one.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(make_conninfo(own, dbname=kept, user=kept))
        with psycopg.connect(make_conninfo(own, dbname=kept, user="postgres")) as looking:
            assert looking.execute("SELECT id FROM orders").fetchone() == (7,)

    def test_an_administrator_who_is_no_superuser_is_enough(self, bench, uid, admin, postgres_server):
        admin.execute("DROP ROLE IF EXISTS keeper")
        admin.execute("CREATE ROLE keeper LOGIN CREATEROLE CREATEDB")
        bench.vault["pg-admin"] = postgres_server.url.replace("postgres@", "keeper@")
        outputs = bench.driver.provision(bench.request(uid, self.params))
        assert bench.driver.provision(bench.request(uid, self.changed, known=outputs)) == outputs
        assert bench.driver.remove(bench.request(uid, self.params, known=outputs), delete_data=False)
        for name in names(admin, f"kept_%{uid[-8:]}"):
            admin.execute(f'DROP DATABASE "{name}"')
            admin.execute(f'DROP ROLE "{name}"')
        admin.execute("DROP OWNED BY keeper CASCADE")
        admin.execute("DROP ROLE keeper")

    def test_a_role_without_the_rights_is_told_which_it_needs(self, bench, uid, admin, postgres_server):
        admin.execute("DROP ROLE IF EXISTS visitor")
        admin.execute("CREATE ROLE visitor LOGIN")
        bench.vault["pg-admin"] = postgres_server.url.replace("postgres@", "visitor@")
        with pytest.raises(Permanent, match="CREATEROLE and CREATEDB"):
            bench.driver.provision(bench.request(uid, self.params))
        admin.execute("DROP ROLE visitor")

    @pytest.mark.parametrize("delete_data", [True, False])
    def test_cut_off_after_any_statement_it_ends_in_one_thing(self, bench, uid, admin, monkeypatch, delete_data):
        execute, left = psycopg.Connection.execute, [1000]

        def counted(connection, statement, *values):
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return execute(connection, statement, *values)

        def lives(call):
            """Cut off after the first statement, then the second, until it comes to its end."""
            for number in range(100):
                left[0] = number
                try:
                    return call()
                except PowerCut:
                    continue
            pytest.fail("it never ended")

        monkeypatch.setattr(psycopg.Connection, "execute", counted)
        outputs = lives(lambda: bench.driver.provision(bench.request(uid, self.params)))
        removed = lives(
            lambda: bench.driver.remove(bench.request(uid, self.params, known=outputs), delete_data=delete_data)
        )
        left[0] = 1000
        there = names(admin, f"%{uid[-8:]}")
        roles = admin.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"%{uid[-8:]}"]).fetchall()
        assert len(there) == len(roles) == (0 if delete_data else 1)
        assert delete_data or there[0] in removed[0]

    def test_a_name_that_is_sql_is_a_name(self, bench, admin):
        uid = 'x"; DROP ROLE postgres; --'
        outputs = bench.driver.provision(bench.request(uid, self.params))
        assert outputs["name"] == 'acme_x"; DROP ROLE postgres; __'
        bench.driver.remove(bench.request(uid, self.params), delete_data=True)
        assert names(admin, "acme_x%") == []


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("nonsense with CANARY-77", Invalid, "no URL"),
        ("postgresql://admin:CANARY-77@127.0.0.1:1/postgres", Temporary, "does not answer"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_without_its_password(tmp_path, url, error, words):
    suite = TestPostgresql()
    bench = suite.bench.__wrapped__(suite, PostgresDriver, {"admin_secret": "pg-admin"}, {"pg-admin": url}, tmp_path)
    with pytest.raises(error, match=words) as told:
        bench.driver.status(bench.request("postgres-x", {}))
    assert "CANARY" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://a@db.acme.example/postgres", "require"),
        ("postgresql://a@db.acme.example/postgres?sslmode=verify-full", "verify-full"),
        ("postgresql://a@127.0.0.1/postgres", None),
    ],
)
def test_a_server_elsewhere_is_asked_for_encryption(url, mode):
    assert _options(url, "it", PostgresConfig(admin_secret="x")).get("sslmode") == mode
