"""SQLite with many writers: take the write lock at the first write (and wait for it), not half-way.

oslo.db starts every transaction with a plain BEGIN. Of two threads that both read and then write, SQLite refuses one
at once ("database is locked"), whatever the busy timeout: waiting could not help it. Here reads start no transaction,
and the first INSERT, UPDATE, DELETE or SAVEPOINT takes the lock with BEGIN IMMEDIATE, which does wait.

Importing this module is enough.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _driver(connection).isolation_level = "IMMEDIATE"  # the sqlite3 module then begins so before a write
        connection.info["in_transaction"] = True  # keeps oslo.db's own BEGIN away


@event.listens_for(Engine, "savepoint")
def _savepoint(connection: Connection, name: str) -> None:
    if connection.dialect.name == "sqlite" and not _driver(connection).in_transaction:
        _driver(connection).execute("BEGIN IMMEDIATE")
