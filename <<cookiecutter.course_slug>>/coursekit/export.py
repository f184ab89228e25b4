"""Export notebooks to the package: the cells that start with `#| export`, in order, one file each.

Students have this file, too: `python export.py` writes PACKAGE/tensor.py from 01_tensor/, and so
on for every module they have, so that the next module builds on what they wrote.
"""

import json
import re
import sys
from pathlib import Path

DIRECTIVE = "#| export"
MARKER = re.compile(r"\s*### (BEGIN|END) SOLUTION\s*")


def exported(sources: list[str]) -> str:
    """Return the code of the cells that start with the directive, without the directive."""
    chosen = [s.splitlines()[1:] for s in sources if s.splitlines()[:1] == [DIRECTIVE]]
    cells = ("\n".join(line for line in cell if not MARKER.fullmatch(line)) for cell in chosen)
    return "\n\n\n".join(cell.strip("\n") for cell in cells) + "\n"


def code_sources(notebook: Path) -> list[str]:
    """Return the source of each code cell of a notebook file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def main(root: Path) -> int:
    """Export every `NN_name/name_dev.ipynb` below the folder; return how many could not be."""
    package = next(root.glob("*/__init__.py")).parent
    failures = 0
    for notebook in sorted(root.glob("[0-9][0-9]_*/*_dev.ipynb")):
        target = package / f"{notebook.stem.removesuffix('_dev')}.py"
        try:
            code = exported(code_sources(notebook))
            compile(code, str(notebook), "exec")
        except (SyntaxError, ValueError, KeyError) as error:
            print(f"{notebook.parent.name}/{notebook.name}: not exported. {error}")
            failures += 1
            continue
        target.write_text(code, encoding="utf-8")
        print(f"{notebook.parent.name}/{notebook.name} -> {package.name}/{target.name}")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(Path(__file__).resolve().parent) else 0)
