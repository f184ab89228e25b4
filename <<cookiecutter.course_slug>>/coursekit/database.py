"""The gradebook's database, a file or a server: how to get at it, and one grader at a time."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from coursekit.errors import CourseError

LOCK = 0x636F7572  # "cour": PostgreSQL's advisory locks are numbers, each database has its own
HOLDER = text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND objid = :key AND granted"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
UNUSABLE = """\
The gradebook at {url!r} cannot be used: {said}
Is there room on the disk, or is the server up, does the database exist, and may you use it? After
that, run this again: it goes on where it stopped."""
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # what it logs it raises, too
WHO, WAIT = "someone else", "\nWait until that is done, or stop it; then run this again."


def engine(db_url: str) -> Engine:
    """Return SQLAlchemy's engine for a gradebook, which nothing has connected to yet.

    A CourseError, without the password, is what it raises where the database cannot do its work.
    """
    try:
        url = make_url(db_url)
    except (ArgumentError, ValueError):
        raise CourseError(
            "course.toml: [grading] db_url is no database's address (and is not shown here, for it "
            'may hold a password). Write it like "postgresql+psycopg://grader@db.example.org/dl101".'
        ) from None
    server = url.get_backend_name() == "postgresql"
    try:
        made = create_engine(url, connect_args={"application_name": me()[:63]} if server else {})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise CourseError(
            f"There is no driver here for the gradebook at {url!r}: {error}.\n"
            "For PostgreSQL, write postgresql+psycopg://…: `nox -s grade` and `nox -s build` "
            "install what that needs; without nox: pip install --group postgresql"
        ) from None
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", tune)

    @event.listens_for(made, "handle_error")
    def tell(context: ExceptionContext) -> None:
        if type(context.sqlalchemy_exception) in (OperationalError, DatabaseError):  # none of ours
            said = str(context.original_exception).replace(made.url.password or "\0", "***").strip()
            raise CourseError(UNUSABLE.format(url=made.url, said=said))

    return made


def me() -> str:
    return f"process {os.getpid()} of {os.environ.get('USER', '?')} on {socket.gethostname()}"


def tune(connection: Any, _: Any) -> None:
    """Let SQLite write to a log, which need not wait for the disk, and wait for other programs.

    Readers such as formgrader see the last complete state meanwhile.
    """
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def one_grader(db_url: str, folder: Path) -> Iterator[None]:
    """Hold a folder and its gradebook: two graders would each undo what the other does.

    CourseError, with who holds them, if someone does. The system and the server let go however this
    process ends.
    """
    import fcntl  # not on Windows, where nothing is graded

    made = engine(db_url)
    with ExitStack() as held:
        file = held.enter_context((folder / ".grade.lock").open("a+", encoding="utf-8"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise CourseError(f"{folder} is being graded by {file.read() or WHO}.{WAIT}") from None
        file.truncate(0)
        print(me(), end="", file=file, flush=True)
        if made.dialect.name == "postgresql":  # so that no other machine grades, either
            connection = held.enter_context(made.connect())
            held.callback(connection.invalidate)  # ends the connection, and the lock with it
            # Outside of a transaction, which would keep the server from tidying up for hours.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
                who = connection.scalar(HOLDER, {"key": LOCK}) or WHO
                raise CourseError(f"The gradebook at {made.url!r} is in use by {who}.{WAIT}")
        yield
