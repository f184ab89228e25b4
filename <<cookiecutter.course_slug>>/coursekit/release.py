"""nbgrader's release notebooks and the student kit, published only when every gate holds."""

import shutil
import string
import tempfile
import tomllib
import zipfile
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from coursekit import export, gates, notebook
from coursekit.course import Course, Module
from coursekit.errors import CourseError
from coursekit.gradebook import alone
from coursekit.nbgrader_settings import captured_log, config, reason
from coursekit.sync import sync

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: same content, same bytes


def build(course: Course, modules: list[Module]) -> Path:
    """Sync, release these modules and pack the student kit; return the kit's path."""
    sync(course, modules)
    sources = {module: notebook.read(module.source) for module in modules}
    refuse(course, gates.check_sources(sources))
    with tempfile.TemporaryDirectory(prefix="build-", dir=course.root) as folder:
        staging, kit = Path(folder) / "release", Path(folder) / course.slug
        for module in modules:
            generate(course, module, staging)
        refuse(course, gates.check_release(sources, staging))
        assemble(course, staging, kit)
        refuse(course, gates.check_kit(read_released(course, kit), kit))
        record(course, modules, course.db_url)
        publish(staging, course.release)
        return zip_folder(kit, course.dist / f"{course.slug}.zip")


def refuse(course: Course, problems: list[str]) -> None:
    """Stop the build if a gate found anything."""
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise CourseError(f"Nothing was released. Mend this and build again:\n{listed}")


def generate(course: Course, module: Module, folder: Path) -> None:
    """Write nbgrader's release version of a module into a folder; no gradebook is touched."""
    _generate(course, module, folder, gradebook=None)


def record(course: Course, modules: list[Module], gradebook: str) -> None:
    """Tell a gradebook (a database URL) these modules' cells, points and due dates."""
    with alone(gradebook), tempfile.TemporaryDirectory() as folder:
        for module in modules:
            _generate(course, module, Path(folder), gradebook)
            with Gradebook(gradebook, course.slug) as gb:
                gb.update_or_create_assignment(module.name, duedate=utc(course, module))


def changed_since(course: Course, module: Module, gradebook: str) -> bool:
    """Tell whether a provided cell or a test differs from what the gradebook grades by."""
    nb = notebook.read(module.source)
    now = {notebook.grade_id(c): c.source for c in nb.cells if notebook.meta(c).get("locked")}
    with Gradebook(gradebook, course.slug) as gb:
        built = gb.find_notebook(module.notebook.stem, module.name).source_cells
        return now != {cell.name: cell.source for cell in built if cell.locked}


def utc(course: Course, module: Module) -> str:
    """Return the due date as nbgrader stores dates: UTC, without a zone."""
    due = course.due(module)
    return (due - due.utcoffset()).replace(tzinfo=None).isoformat(" ")


def _generate(course: Course, module: Module, folder: Path, gradebook: str | None) -> None:
    c = config(course)
    c.CourseDirectory.assignment_id = module.name
    c.CourseDirectory.release_directory = str(folder)
    if gradebook:
        c.CourseDirectory.db_url = gradebook
    c.GenerateAssignment.no_database = gradebook is None
    c.SaveCells.enabled = gradebook is not None
    with captured_log() as lines:
        try:
            GenerateAssignment(coursedir=CourseDirectory(config=c), config=c).start()
        except NbGraderException as error:
            raise CourseError(f"{module.source}: nbgrader refuses: {reason(lines)}") from error


def publish(staging: Path, release: Path) -> None:
    """Put each built folder in place of the one released before."""
    release.mkdir(exist_ok=True)
    for built in sorted(staging.iterdir()):
        target = release / built.name
        old = staging.parent / f"old-{built.name}"
        if target.exists():
            target.rename(old)
        built.rename(target)


def assemble(course: Course, staging: Path, kit: Path) -> None:
    """Put the student kit together: what is built now, what was released before, student files."""
    for module in course.modules():
        for released in (staging, course.release):
            if (released / module.name).is_dir():
                shutil.copytree(released / module.name, kit / module.name)
                break
    student_files(course, kit)


def read_released(course: Course, kit: Path) -> gates.Sources:
    """Return the sources of the modules in a kit."""
    modules = [module for module in course.modules() if (kit / module.name).is_dir()]
    return {module: notebook.read(module.source) for module in modules}


def student_files(course: Course, kit: Path) -> None:
    """Add the student README, what pip installs, the exporter and the empty package."""
    groups = tomllib.loads((course.root / "pyproject.toml").read_text(encoding="utf-8"))
    values = {
        "title": course.title,
        "term": course.term,
        "package": course.package,
        "requirements": '", "'.join(groups["dependency-groups"]["student"]),
        "cell_seconds": f"{course.limits.cell_seconds:g}",
        "staff": ", ".join(f"{person['name']} <{person['email']}>" for person in course.staff),
        "schedule": schedule(course, [m for m in course.modules() if (kit / m.name).is_dir()]),
    }
    for path in sorted((course.root / "student").iterdir()):
        text = string.Template(path.read_text(encoding="utf-8")).substitute(values)
        (kit / path.name).write_text(text, encoding="utf-8", newline="\n")
    shutil.copy(export.__file__, kit / "export.py")
    (kit / course.package).mkdir()
    shutil.copy(course.package_dir / "__init__.py", kit / course.package)


def schedule(course: Course, modules: list[Module]) -> str:
    """Return the due dates as the rows of a Markdown table."""
    rows = [
        f"| `{m.name}` | {course.due(m):%A %d %B %Y, %H:%M} {course.timezone} |" for m in modules
    ]
    return "\n".join(rows)


def zip_folder(folder: Path, target: Path) -> Path:
    """Zip a folder so that the same files always give the same bytes."""
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.external_attr = 0o644 * 65536  # the upper 16 bits are the Unix mode
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target
