"""The package's file of a module: the cells that start with `#| export`, in order.

Students have this file, too, for their own command `course`.
"""

import ast
import re
from collections.abc import Iterable
from itertools import dropwhile

# Formatters put spaces into it: `# | export`, `# |export`.
DIRECTIVE = re.compile(r"\s*#\s*\|\s*export\s*")
# What may stand above it: nothing, comments, and magics but those below which is no Python.
NO_PYTHON = (
    "bash|cmd|file|html|javascript|js|latex|markdown|perl|ruby|script|sh"
    "|sql|svg|sx|system|writefile"
)
ABOVE = re.compile(rf"\s*($|#|!|%(?!%({NO_PYTHON})\b))")
# `%magic`, `!command`, `name?` and `?name`, as the grader knows them; and `name = !command`.
MAGIC = re.compile(r"^(\s*)(%{1,2}[A-Za-z_].*|!.*|\?{1,2}[\w.*]+\s*|[\w.*]+\?{1,2}\s*)$")
ASSIGNED = re.compile(r"^(\s*\w+\s*=)\s*[%!].*")
MARKER = re.compile(r"\s*### (BEGIN|END) SOLUTION\s*")


def exported(sources: Iterable[str]) -> str:
    """Return the code of the cells that start with the directive; "" if there is none."""
    cells = [python(below_directive(source)).strip("\n") for source in sources]
    texts = [cell for cell in cells if cell]
    return "\n\n\n".join(texts) + "\n" if texts else ""


def below_directive(source: str) -> list[str]:
    """Return the lines of a cell below its directive; none if there is code or no directive above.

    Comments that stand right below the directive are not for the package, either.
    """
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if DIRECTIVE.fullmatch(line):
            code = dropwhile(lambda line: line.startswith("#"), lines[number + 1 :])
            return [line for line in code if not MARKER.fullmatch(line)]
        if not ABOVE.match(line):
            break
    return []


def python(lines: list[str]) -> str:
    """Return lines as one text. If that does not parse, magics in it do nothing, or give None."""
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        quiet = [MAGIC.sub(r"\1pass", ASSIGNED.sub(r"\1 None", line)) for line in lines]
        text = "\n".join(quiet)
    return text
