"""What is handed to a student's code: streams, `display`, the end of a cell's time."""

CUT = "\n[output cut here]\n"


class CellTimeoutError(BaseException):
    """The time of a cell is up. nbgrader's name for it."""


class Stream:
    """Collects what a cell prints, up to a limit."""

    encoding, errors, closed, newlines = "utf-8", "replace", False, None

    def __init__(self, number: int, limit: int) -> None:
        self.number, self.left, self.parts = number, limit, []

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.left > 0:
            self.parts.append(text[: self.left] + (CUT if len(text) > self.left else ""))
        self.left -= len(text)
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def fileno(self) -> int:
        return self.number

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False


def display(*objects: object, **_: object) -> None:
    """Print objects: there is no browser here."""
    for thing in objects:
        print(repr(thing))


class Shell:
    """What get_ipython() gives: whatever a notebook asks it to do, nothing happens."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments, **options: None


def get_ipython() -> Shell:
    return Shell()


def ring(number: int, frame: object) -> None:
    raise CellTimeoutError("the cell ran out of time")
