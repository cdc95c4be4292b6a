"""The driver ``postgresql``: databases with roles of their own on a server that is there.

Every statement looks first or says IF EXISTS, so that whatever was cut off is gone on with. psycopg quotes the names.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict, Field

from flagstone.kernel.errors import FlagstoneError, Invalid, Permanent, Temporary
from flagstone.sdk import (
    DriverContext,
    ResourceDefinition,
    ResourcePlan,
    ResourceRequest,
    ResourceStatus,
)

_ALPHABET = string.ascii_letters + string.digits
_LOCAL = ("", "localhost", "127.0.0.1", "::1")
_LONGEST = 63
"""Bytes of a PostgreSQL name."""


class PostgresConfig(BaseModel):
    """Which server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    admin_secret: str = Field(min_length=1)
    """Name of the secret in the vault that holds the URL of a role which may create roles and databases:
    ``postgresql://admin:…@db.acme.example:5432/postgres?sslmode=verify-full``."""
    host: str = ""
    """Host that workloads are given; empty: that of the URL."""
    port: int | None = Field(None, ge=1, le=65535)
    """Port that workloads are given; without one that of the URL."""
    prefix: str = Field("", pattern=r"[a-z0-9_]{0,12}")
    """Begins the names of databases and roles; give each Flagstone its own where several share a server."""
    connect_timeout: int = Field(10, ge=1, le=120)
    """Seconds."""
    statement_timeout: int = Field(60, ge=1, le=3600)
    """Seconds."""


class PostgresDriver:
    """See the module."""

    name = "postgresql"
    types = ("postgres",)
    config_model = PostgresConfig
    definitions: tuple[ResourceDefinition, ...] = ()

    def open(self, ctx: DriverContext) -> None:
        """Nothing to open: connections are made when they are needed."""

    def plan(self, request: ResourceRequest) -> ResourcePlan:
        """What would be made; the server is not asked."""
        name = _name(request)
        facts = {"Database": name, "Role": name, "Server": f"that of the secret {request.config.admin_secret}"}
        if request.config.host:
            facts["Host"] = request.config.host
        return ResourcePlan({**facts, "Connections": str(_connections(request))})

    def provision(self, request: ResourceRequest) -> Mapping[str, Any]:
        """Make role and database, or make them fit."""
        name = _name(request)
        password = request.known.get("password") or request.hide("".join(secrets.choice(_ALPHABET) for _ in range(32)))
        with _admin(request) as server:
            server.role(name, password, _connections(request))
            request.log(f"The role {name} may sign in.")
            server.database(name)
            request.log(f"The database {name} is there and belongs to it.")
            return {
                "host": request.config.host or server.host,
                "port": request.config.port or server.port,
                "name": name,
                "database": name,
                "username": name,
                "password": password,
            }

    def remove(self, request: ResourceRequest, *, delete_data: bool) -> list[str]:
        """Drop both, or rename both so that nobody can sign in any more."""
        name = _name(request)
        with _admin(request) as server:
            if delete_data:
                server.drop(name)
                return [f"The database {name} is deleted with all it held.", f"The role {name} is deleted."]
            kept = server.keep(name, f"kept_{request.generation}_")
            if kept is None:
                return [f"The database {name} was not there any more: there is nothing to keep."]
            where = f"on {server.host}:{server.port}"
            return [f"The database {name} is kept as {kept} {where}; its role may not sign in any more."]

    def status(self, request: ResourceRequest) -> ResourceStatus:
        """Whether role and database are there."""
        name = _name(request)
        with _admin(request) as server:
            if not server.has_database(name):
                return ResourceStatus("missing", f"There is no database {name}.")
            if not server.has_role(name):
                return ResourceStatus("missing", f"There is no role {name}.")
        return ResourceStatus("ready")


class _Server:
    """Statements of an administrator. Each commits by itself: databases cannot be made in a transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.host = connection.info.host
        self.port = connection.info.port

    def role(self, name: str, password: str, connections: int) -> None:
        """A role that may sign in with a password and so many connections at once. The password is not sent."""
        verb = sql.SQL("ALTER ROLE" if self.has_role(name) else "CREATE ROLE")
        scrambled = self._connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
        self._do(
            "{verb} {name} LOGIN CONNECTION LIMIT {limit} PASSWORD {password}",
            verb=verb,
            name=sql.Identifier(name),
            limit=sql.Literal(connections),
            password=sql.Literal(scrambled.decode()),
        )
        if not self._row("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0]:
            # Else a database cannot be given to it.
            self._do("GRANT {name} TO CURRENT_USER", name=sql.Identifier(name))

    def database(self, name: str) -> None:
        """A database that belongs to the role of its name, and that no other role may enter."""
        if not self.has_database(name):
            self._do("CREATE DATABASE {name} OWNER {name}", name=sql.Identifier(name))
        self._do("ALTER DATABASE {name} OWNER TO {name}", name=sql.Identifier(name))
        self._do("REVOKE ALL ON DATABASE {name} FROM PUBLIC", name=sql.Identifier(name))

    def drop(self, name: str) -> None:
        """Database and role, whoever is connected."""
        self._do("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=sql.Identifier(name))
        self._do("DROP ROLE IF EXISTS {name}", name=sql.Identifier(name))

    def keep(self, name: str, prefix: str) -> str | None:
        """Rename both; the name they have then, or None when there is no database."""
        kept = f"{prefix}{name[len(prefix) - _LONGEST :]}"
        number = 2
        # Taken when an earlier removal was cut off and the resource was asked for again before it went on.
        while self.has_database(name) and self.has_database(kept):
            again = f"{prefix}{number}_"
            kept, number = f"{again}{name[len(again) - _LONGEST :]}", number + 1
        if self.has_role(name):
            self._do("ALTER ROLE {name} NOLOGIN", name=sql.Identifier(name))
        if self.has_database(name):
            self._row("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", name)
            self._do("ALTER DATABASE {name} RENAME TO {kept}", name=sql.Identifier(name), kept=sql.Identifier(kept))
        if self.has_role(name) and not self.has_role(kept):
            self._do("ALTER ROLE {name} PASSWORD NULL", name=sql.Identifier(name))
            self._do("ALTER ROLE {name} RENAME TO {kept}", name=sql.Identifier(name), kept=sql.Identifier(kept))
        return kept if self.has_database(kept) else None

    def has_role(self, name: str) -> bool:
        """Whether there is such a role."""
        return bool(self._row("SELECT count(*) FROM pg_roles WHERE rolname = %s", name)[0])

    def has_database(self, name: str) -> bool:
        """Whether there is such a database."""
        return bool(self._row("SELECT count(*) FROM pg_database WHERE datname = %s", name)[0])

    def _do(self, statement: LiteralString, **parts: sql.Composable) -> None:
        self._connection.execute(sql.SQL(statement).format(**parts))

    def _row(self, query: LiteralString, *values: str) -> tuple[Any, ...]:
        row = self._connection.execute(query, values).fetchone()
        return tuple(row or (0,))


@contextmanager
def _admin(request: ResourceRequest) -> Iterator[_Server]:
    """The server of the definition's secret. Raises Invalid for a URL that is none, Temporary, Permanent."""
    config = request.config
    where = f"the secret {config.admin_secret}"
    options = _options(request.secret(config.admin_secret), where, config)
    try:
        connection = psycopg.connect(**options, autocommit=True)
    except psycopg.OperationalError as error:
        raise _unreachable(error, where) from None
    try:
        yield _Server(connection)
    except psycopg.Error as error:
        raise _failed(error) from None
    finally:
        connection.close()


def _options(url: str, where: str, config: PostgresConfig) -> dict[str, Any]:
    try:
        found = conninfo_to_dict(url.strip().replace("postgresql+psycopg://", "postgresql://", 1))
    except psycopg.Error:
        # What libpq says of it would quote it.
        raise Invalid(
            "postgresql.bad_url",
            f"{where} holds no URL of a PostgreSQL server.",
            hint="Set it to postgresql://user:password@host:5432/postgres.",
        ) from None
    host = str(found.get("host") or found.get("hostaddr") or "")
    if host not in _LOCAL and not host.startswith("/"):
        found.setdefault("sslmode", "require")
    timeouts = f"-c statement_timeout={config.statement_timeout}s -c lock_timeout={config.statement_timeout}s"
    given = {"connect_timeout": config.connect_timeout, "application_name": "flagstone", "options": timeouts}
    return {**found, **given}


def _unreachable(error: psycopg.OperationalError, where: str) -> FlagstoneError:
    text = str(error).strip().splitlines()[-1][:300] if str(error).strip() else "no answer"
    if "authentication failed" in text or "password" in text or "does not exist" in text:
        return Permanent(
            "postgresql.credential_refused",
            f"The server of {where} refused the sign-in: {text}",
            hint=f"Mend {where} in the vault.",
        )
    return Temporary(
        "postgresql.unreachable",
        f"The server of {where} does not answer: {text}",
        hint="Check that it runs and can be reached from here.",
    )


def _failed(error: psycopg.Error) -> FlagstoneError:
    text = (error.diag.message_primary or type(error).__name__)[:300]
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        hint = "The role of the administrator's URL needs CREATEROLE and CREATEDB."
        return Permanent("postgresql.denied", f"The server refused: {text}.", hint=hint)
    if isinstance(error, psycopg.OperationalError | psycopg.errors.ObjectInUse | psycopg.errors.QueryCanceled):
        return Temporary("postgresql.failed", f"The server did not do it: {text}.")
    return Permanent("postgresql.failed", f"The server did not do it: {text}.")


def _name(request: ResourceRequest) -> str:
    whole = f"{request.config.prefix}{request.uid.replace('-', '_')}"
    # The end of the uid tells it from all others.
    return whole if len(whole) <= _LONGEST else whole[: _LONGEST - 13] + whole[-13:]


def _connections(request: ResourceRequest) -> int:
    return int(request.params.get("connections", 20))
