"""The gradebook's database where it is a server: can it be reached, and does nobody else grade?"""

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from coursekit.errors import CourseError

LOCK = 0x636F7572  # "cour": PostgreSQL's advisory locks are numbers, each database has its own
HOLDER = text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND objid = :key AND granted"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

NO_ADDRESS = """\
course.toml: [grading] db_url is no database's address (and is not shown here, for it may hold a
password). Write it like "postgresql+psycopg://grader@db.example.org/dl101"."""
NO_DRIVER = """\
There is no driver here for the gradebook at {url}: {error}.
For PostgreSQL, write postgresql+psycopg://… and run `nox -s grade` or `nox -s build`, which install
the group `postgresql`; without nox: pip install --group postgresql"""
UNREACHABLE = """\
The gradebook at {url} does not answer: {error}
Is the server up, does the database exist, and may you use it? After that, run this again: it goes
on where it stopped."""
HELD = """\
The gradebook at {url} is in use by {holder}.
Wait until that is done, or stop it; then run this again."""


def alone(db_url: str) -> AbstractContextManager[None]:
    """Hold a server's gradebook, so that no other machine grades; a file has lock.held."""
    try:
        url = make_url(db_url)
    except (ArgumentError, ValueError):
        raise CourseError(NO_ADDRESS) from None
    return nullcontext() if url.get_backend_name() == "sqlite" else server(url)


@contextmanager
def server(url: URL) -> Iterator[None]:
    """Hold the gradebook on a server. It lets go when the connection ends, however that happens."""
    shown = url.render_as_string(hide_password=True)
    try:
        with engine_of(url, shown).connect() as connection:
            if url.get_backend_name() == "postgresql":
                lock(connection, shown)
            yield
    except OperationalError as error:
        said = str(error.orig).replace(url.password or "\0", "***").strip()
        raise CourseError(UNREACHABLE.format(url=shown, error=said)) from None


def engine_of(url: URL, shown: str) -> Engine:
    try:
        own = {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool}  # ends with the lock
        return create_engine(url, connect_args=called(url), **own)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise CourseError(NO_DRIVER.format(url=shown, error=error)) from None


def called(url: URL) -> dict[str, str]:
    """Return what tells others who holds the gradebook."""
    me = f"process {os.getpid()} of {getpass.getuser()} on {socket.gethostname()}"
    return {"application_name": me[:63]} if url.get_backend_name() == "postgresql" else {}


def lock(connection: Connection, shown: str) -> None:
    if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
        holder = connection.scalar(HOLDER, {"key": LOCK})
        raise CourseError(HELD.format(url=shown, holder=holder or "someone else"))
