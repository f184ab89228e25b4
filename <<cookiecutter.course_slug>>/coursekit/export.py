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
from itertools import dropwhile
from pathlib import Path

DIRECTIVE = "#| export"
MARKER = re.compile(r"\s*### (BEGIN|END) SOLUTION\s*")


def exported(sources: list[str]) -> str:
    """Return the code of the cells that start with the directive, without the comments above it."""
    chosen = [s.splitlines() for s in sources if s.splitlines()[:1] == [DIRECTIVE]]
    cells = [dropwhile(lambda line: line.startswith("#"), cell) for cell in chosen]
    texts = ("\n".join(line for line in cell if not MARKER.fullmatch(line)) for cell in cells)
    return "\n\n\n".join(text.strip("\n") for text in texts) + "\n"


def code_sources(notebook: Path) -> list[str]:
    """Return the source of each code cell of a notebook file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def undefined(code: str) -> set[str]:
    """Return the names that a file of the package uses and defines nowhere, as far as one sees."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    known = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, (ast.arg, ast.ExceptHandler)):
            known.add(node.arg if isinstance(node, ast.arg) else node.name)
    return {node.id for node in names} - known


def export(notebook: Path, package: Path) -> str:
    """Write one notebook's file of the package; return a line that says what happened."""
    name = f"{notebook.parent.name}/{notebook.name}"
    target = package / f"{notebook.stem.removesuffix('_dev')}.py"
    try:
        code = exported(code_sources(notebook))
        compile(code, notebook.name, "exec")
    except (SyntaxError, ValueError, KeyError) as error:
        return f"{name}: not exported, because it does not parse: {error}"
    target.write_text(code, encoding="utf-8")
    done = f"{name} -> {package.name}/{target.name}"
    if missing := undefined(code):
        done += f"\n  but not exported with it: {', '.join(sorted(missing))}. Cells that start with"
        done += f" `{DIRECTIVE}` are; import or define it in the one that uses it."
    return done


def main(root: Path, names: list[str]) -> int:
    """Export `NN_name/name_dev.ipynb`, all or those named; return 1 if one could not be."""
    package = next(root.glob("*/__init__.py")).parent
    found = {path.parent.name: path for path in sorted(root.glob("[0-9][0-9]_*/*_dev.ipynb"))}
    chosen = [name.rstrip("/\\") for name in names] or list(found)
    if unknown := set(chosen) - set(found):
        print(f"There is no module {unknown.pop()!r} here, only: {', '.join(found)}")
        return 1
    lines = [export(found[name], package) for name in chosen]
    print("\n".join(lines))
    return int(any("not exported" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent, sys.argv[1:]))
