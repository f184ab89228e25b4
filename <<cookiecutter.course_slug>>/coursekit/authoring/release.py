"""nbgrader's release notebooks and the student kit, published only when every check holds."""

import copy
import datetime as dt
import json
import re
import shutil
import string
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import CheckCellMetadata, SaveCells

from coursekit import assignment, export, files, notebook
from coursekit.assignment import Assignment
from coursekit.authoring import checks, decoys
from coursekit.authoring.record import record
from coursekit.authoring.sync import sync
from coursekit.course import PROVIDED, Course, Module, Workspace, naive_utc
from coursekit.database import one_grader
from coursekit.errors import CourseError
from coursekit.nbgrader_config import IGNORED

Sources = checks.Sources
LIMITS = "cell_seconds", "notebook_seconds", "memory_mb"  # that students are told
Dates = dict[tuple[str, str], dt.datetime]  # by module and section


def build(course: Course, modules: list[Module]) -> tuple[Path, list[str]]:
    """Sync, release these modules and pack the student kit.

    Return the kit's path, and a line for each cell that the gradebook had with other submissions
    and that came or went. CourseError, and nothing is released, if anything is wrong.
    """
    texts = [path for module in modules for path in (module.source, *module.beside)]
    students = filter(Path.is_file, (course.root / "student").rglob("*"))
    refuse(checks.check_conflicts([*texts, *students]))
    sync(course, modules)
    sources = {module: notebook.read(module.source) for module in modules}
    named = [*checks.check_names(module.source for module in modules)]
    settings = tomllib.loads((course.root / "pyproject.toml").read_text(encoding="utf-8"))
    needs = settings["dependency-groups"]["student"]
    named += checks.check_imports(sources, course.package, needs)
    finished = [module for module in modules if not course.is_draft(module)]
    written = [path for m in finished for path in (m.source, *m.beside)]
    refuse([*checks.check_sources(sources), *named, *checks.check_finished(written)])
    with tempfile.TemporaryDirectory(prefix="build-", dir=course.root) as folder:
        staging, kit = Path(folder) / "release", Path(folder) / "kit" / course.slug
        to_record = {module: generate(course, module, staging) for module in modules}
        in_kit = assemble(course, sources, needs, staging, kit)
        all_sources = {m: sources.get(m) or notebook.read(m.source) for m in in_kit}
        refuse([*checks.check_kit(all_sources, kit), *checks.check_release(sources, kit)])
        exports = exported(course, sources)
        for module in in_kit:  # after the checks: this is meant to show solutions
            if module.name in course.kit["reference"]:
                package = assignment.reference(course, f"{module.name}~", exports)
                files.write_text(kit / "reference" / f"{module.stem}.py", package[module.stem])
        built = assignments(course, sources, exports, staging)
        changes = record_all(course, to_record, course.workspace)
        publish(staging, course.root / "release")
        for module, made in built.items():
            assignment.store(course, module, made)
        for name, text in assignment.provided(course.package_dir).items():
            files.write_text(course.built / name, text)
        for module, text in exports.items():
            files.write_text(assignment.kept_file(course, module), text)
        if (syllabus := kit / "syllabus.md").is_file():
            files.write_bytes(course.root / "dist" / syllabus.name, syllabus.read_bytes())
        in_zip = {
            path.relative_to(kit.parent).as_posix(): path.read_bytes()
            for path in sorted(filter(Path.is_file, kit.rglob("*")))
        }
        return files.write_zip(course.root / "dist" / f"{course.slug}.zip", in_zip), changes


def refuse(problems: Iterable[str]) -> None:
    """Stop the build if a check found anything."""
    if listed := "\n".join(f"  - {problem}" for problem in problems):
        raise CourseError(f"Nothing was released. Mend this and build again:\n{listed}")


def generate(course: Course, module: Module, folder: Path) -> NotebookNode:
    """Write nbgrader's release version of a module into a folder, by its own steps.

    Return the notebook that one of them, SaveCells, would tell the gradebook of meanwhile: `record`
    does, once every check holds.
    """
    nb = nbformat.read(module.notebook, as_version=4)
    about = {"metadata": {"path": str(module.path)}}  # there InstantiateTests has its settings
    steps = GenerateAssignment.preprocessors.default_args[0]
    for step in filter(lambda step: step is not CheckCellMetadata, steps):  # checks.py asks it
        if step is SaveCells:
            to_record = copy.deepcopy(nb)
            continue
        try:
            nb, about = step().preprocess(nb, about)
        except Exception as error:  # its steps raise whatever they raise
            raise CourseError(f"{module.source}: nbgrader refuses: {error}") from error
    ignore = shutil.ignore_patterns(*IGNORED, "*.ipynb")
    shutil.copytree(module.path, folder / module.name, ignore=ignore, copy_function=shutil.copy)
    files.write_text(folder / module.name / module.notebook.name, nbformat.writes(nb) + "\n")
    return to_record


def exported(course: Course, sources: Sources) -> dict[Module, str]:
    """Return the files of the package of these modules, and of earlier ones never built."""
    last = max(module.name for module in sources)
    new = [m for m in course.modules() if m.name < last and not assignment.stored(course, m)]
    all_sources = {m: notebook.read(m.source) for m in new} | sources
    return {m: assignment.package_file(nb.cells) for m, nb in all_sources.items()}


def assignments(
    course: Course, sources: Sources, exports: dict[Module, str], staging: Path
) -> dict[Module, Assignment]:
    """Return what `grade` will go by: each solution was run, each test has its decoys.

    A solution may import what is built now, and then what was built before.
    """
    built, problems = {}, []
    for module, nb in sources.items():
        released = nbformat.read(staging / module.name / module.notebook.name, as_version=4)
        of_source, of_release = ([*map(notebook.grade_id, n.cells)] for n in (nb, released))
        assert of_source == of_release, f"{module.source}: nbgrader left out or added cells"
        made = Assignment(
            name=module.name,
            file=module.notebook.name,
            cells=json.loads(json.dumps(nb.cells)),
            given=[cell.source for cell in released.cells],
            kernelspec=dict(nb.metadata.kernelspec),
            data=assignment.data_of(module),
            decoys={},
            digest=assignment.digest_of(module),
            package=course.package,
            reference=assignment.reference(course, module.name, exports),
            limits=course.rules,
        )
        try:
            built[module] = decoys.prepare(course, module, made)
        except CourseError as error:
            problems += error.args
    refuse(problems)
    return built


def record_all(course: Course, to_record: Sources, workspace: Workspace) -> list[str]:
    """Tell a workspace's gradebook these modules' cells, points and due dates.

    Return a line for each cell that came or went although students have handed in.
    """
    with one_grader(workspace.gradebook, workspace.root):
        return [
            line
            for module, nb in to_record.items()
            for line in record(workspace, course.slug, module, nb, naive_utc(course.due(module)))
        ]


def publish(staging: Path, release: Path) -> None:
    """Put each built folder in place of the one released before."""
    release.mkdir(exist_ok=True)
    for built in sorted(staging.iterdir()):
        target = release / built.name
        if target.exists():
            target.rename(staging.parent / f"old-{built.name}")
        built.rename(target)


def assemble(
    course: Course, sources: Sources, needs: list[str], staging: Path, kit: Path
) -> list[Module]:
    """Put the student kit together: modules built now, student files, all originals there are."""
    in_kit, ready = [], course.ready(also=sources)
    for module in ready:
        places = staging / module.name, course.root / "release" / module.name
        if released := next(filter(Path.is_dir, places), None):
            original, name = kit / "originals" / module.name, module.notebook.name
            files.write_bytes(original / name, (released / name).read_bytes())
            in_kit.append(module)
            if released == places[0]:  # an older one would replace what students wrote
                shutil.copytree(released, kit / module.name)
    due = dates(course, in_kit)
    values = {
        "title": course.title,
        "slug": course.slug,
        "term": course.term,
        "package": course.package,
        "python": assignment.versions()["Python"].rpartition(".")[0],
        "requirements": '", "'.join(json.dumps(each)[1:-1] for each in needs),
        **{name: f"{course.grading[name]:g}" for name in LIMITS},
        "staff": ", ".join(f"{person['name']} <{person['email']}>" for person in course.staff),
        "institution": f", {course.institution}" if course.institution else "",
        "schedule": schedule(course, due),
        "whole_schedule": schedule(course, dates(course, ready)),
        "modules": "\n".join(overview(module, sources.get(module)) for module in ready),
        "late": late_rule(course.late),
        "due": '", "'.join(
            json.dumps(f"{name} {due[name, section].isoformat()} {section}".rstrip())[1:-1]
            for name, section in sorted(due)
        ),
    }
    for path in sorted(filter(Path.exists, (course.root / "student").iterdir())):
        if path.is_dir():  # as it is
            shutil.copytree(path, kit / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            try:
                text = string.Template(path.read_text(encoding="utf-8")).safe_substitute(values)
                files.write_text(kit / path.name, text)
            except UnicodeDecodeError:  # a picture, say
                shutil.copy(path, kit)
    for shared in (export, files):
        shutil.copy(shared.__file__, kit / "course")
    if (course.root / "LICENSE").is_file():  # it may ask to be passed on
        shutil.copy(course.root / "LICENSE", kit)
    for name in PROVIDED:
        files.write_bytes(kit / course.package / name, (course.package_dir / name).read_bytes())
    return in_kit


def dates(course: Course, modules: list[Module]) -> Dates:
    """Return when each of these modules is due: for all, "", and for a section that differs."""
    due = {(m.name, ""): course.due(m) for m in modules}
    for section, days in course.schedule["sections"].items():
        due |= {(m, section): course.moment(day) for m, day in days.items() if (m, "") in due}
    return due


def schedule(course: Course, due: Dates) -> str:
    """Return a table row for each of these dates."""
    when = f"%A %d %B %Y, %H:%M {course.timezone}"
    return "\n".join(
        f"| {f'`{name}`, {section}'.rstrip(', ')} | {due[name, section]:{when}} |"
        for name, section in sorted(due)
    )


def overview(module: Module, source: NotebookNode | None) -> str:
    """Return a table row about a module: name, points; its README's first sentence and time."""
    path = module.path / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    about = r"^# .*\n\n(.+?\.)\s", r"^\*\*Time\*\* (.+?)[:.\n]"
    found = (re.search(each, text, re.MULTILINE) for each in about)
    points = ""
    with suppress(CourseError):  # of a module in the making, which cannot be read yet
        points = f"{notebook.points((source or notebook.read(module.source)).cells):g}"
    cells = [f"`{module.name}`", *(match[1] if match else "" for match in found), points]
    return f"| {' | '.join(cells)} |"


def late_rule(late: Mapping[str, float]) -> str:
    """Return in a sentence what [late] of course.toml says."""
    percent, days = late["percent_per_day"], late["zero_after_days"]
    costs = [f"loses {percent:g} % of its points for each day begun"] if percent else []
    costs += [f"gets no points when it is more than {days:g} days late"] if days else []
    grace = f"The first {late['grace_minutes']:g} minutes cost nothing. "
    said = f"Late work {' and '.join(costs or ['loses no points'])}."
    return f"{said} {grace if costs and late['grace_minutes'] else ''}".strip()
