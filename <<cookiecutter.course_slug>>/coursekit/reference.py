"""The package as a module may see it: the modules before it, never the module itself."""

import shutil
from pathlib import Path

from coursekit import export, notebook
from coursekit.course import Course


def write_reference(course: Course, module_name: str, folder: Path) -> Path:
    """Write the package with the exports of all modules before `module_name` into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    package = folder / course.package
    package.mkdir(parents=True)
    shutil.copy(course.package_dir / "__init__.py", package)
    for earlier in course.modules():
        if earlier.name >= module_name:
            break
        cells = filter(notebook.is_code, notebook.read(earlier.source).cells)
        code = export.exported([cell.source for cell in cells])
        (package / f"{earlier.stem}.py").write_text(code, encoding="utf-8")
    return folder
