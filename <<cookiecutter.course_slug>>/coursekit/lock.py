"""One grader at a time: two on one gradebook would each undo what the other does."""

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coursekit.errors import CourseError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file, which the system lets go of however this process ends."""
    import fcntl  # not on Windows, where nothing is graded

    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise CourseError(
                f"{path.parent} is being graded by {file.read().strip() or 'someone else'}.\n"
                "Wait until that is done, or stop it; then run this again."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} of {getpass.getuser()} on {socket.gethostname()}")
        file.flush()
        yield
