"""Export notebooks to the package: the cells that start with `#| export`, in order, one file each.

Students have this file, too: `python export.py` writes PACKAGE/tensor.py from 01_tensor/, and so
on for every module they have, so that the next module builds on what they wrote. With names,
`python export.py 02_activations`, only those: what stands in PACKAGE for the others stays.
"""

import ast
import builtins
import json
import re
import sys
from collections.abc import Iterable
from itertools import dropwhile
from pathlib import Path

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
    cells = [python(below_directive(source)) for source in sources]
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
    text = "\n".join(lines).strip("\n")
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        quiet = [MAGIC.sub(r"\1pass", ASSIGNED.sub(r"\1 None", line)) for line in lines]
        text = "\n".join(quiet).strip("\n")
    return text


def undefined(code: str) -> set[str]:
    """Return the names that a file of the package uses and defines nowhere, as far as one sees."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    known = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)):
            known.add(node.name)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.arg):
            known.add(node.arg)
    return {node.id for node in names} - known


def export(notebook: Path, package: Path) -> tuple[bool, str]:
    """Write one notebook's file of the package; return if all is well, and what happened."""
    name = f"{notebook.parent.name}/{notebook.name}"
    target = package / f"{notebook.stem.removesuffix('_dev')}.py"
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8-sig"))["cells"]
        code = exported("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        compile(code, notebook.name, "exec")
    except (SyntaxError, ValueError, KeyError, TypeError) as error:
        return False, f"{name}: not exported, because it does not parse: {error}"
    if not code:
        return False, f"{name}: not exported, because no cell in it starts with `#| export`"
    partial = target.with_suffix(".partial")
    partial.write_text(code, encoding="utf-8")
    partial.replace(target)  # whole or not at all
    done = f"{name} -> {package.name}/{target.name}"
    if missing := undefined(code):
        done += f"\n  but not exported with it: {', '.join(sorted(missing))}. Cells that start with"
        done += " `#| export` are; import or define it in the one that uses it."
    return not missing, done


def main(root: Path, names: list[str]) -> int:
    """Export `NN_name/name_dev.ipynb`, all or those named; return 1 if one could not be."""
    package = next(root.glob("*/__init__.py")).parent
    found = {path.parent.name: path for path in sorted(root.glob("[0-9][0-9]_*/*_dev.ipynb"))}
    chosen = [name.rstrip("/\\") for name in names] or list(found)
    if unknown := set(chosen) - set(found):
        print(f"There is no module {unknown.pop()!r} here, only: {', '.join(found)}")
        return 1
    results = [export(found[name], package) for name in chosen]
    print("\n".join(line for _, line in results) or f"There is no module in {root}.")
    return 0 if results and all(well for well, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent, sys.argv[1:]))
