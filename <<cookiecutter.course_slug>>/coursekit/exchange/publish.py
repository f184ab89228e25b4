"""Marks and feedback in the forms in which an LMS takes them back.

grades/ gets tables, feedback/ a zip a module. Marks that wait for a person stay empty: an LMS shows
students what it is given.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import sqlalchemy as sa

from coursekit import files, notebook
from coursekit import gradebook as gb
from coursekit.assignment import stored
from coursekit.course import Course, Module, Submission, Workspace
from coursekit.errors import Ungradable
from coursekit.exchange import roster
from coursekit.exchange.collect import ATTEMPTS, SOURCE, digest
from coursekit.exchange.downloads import CANVAS, MOODLE
from coursekit.exchange.roster import Roster
from coursekit.gradebook import Gradebook
from coursekit.grading.results import Result, Results
from coursekit.intake.collect import printable, read_file

Table = list[list[object]]
CANVAS_COLUMNS = ("student", "id", "sis user id", "sis login id", "section")


def publish(course: Course, workspace: Workspace, people: Roster, results: Results) -> list[Path]:
    """Write all that can be written; return what an LMS takes."""
    tables = {"exercises.csv": exercises(course, people, results)}
    if people.students:
        tables["moodle.csv"] = moodle(people, results)
        if (export := course.root / roster.CANVAS_EXPORT).is_file():
            tables["canvas.csv"] = canvas(course, export, people, results)
    name_in_gradebook(workspace, people)
    for name, table in tables.items():
        files.write_csv(workspace.root / "grades" / name, table)
    made = [workspace.root / "grades" / name for name in tables if name != "exercises.csv"]
    return [*made, *(zips(course, workspace, results) if people.students else ())]


def name_in_gradebook(workspace: Workspace, people: Roster) -> None:
    """Fill in names and e-mail, which formgrader shows, where the gradebook has none."""
    rows = []
    for student in people.students:
        last, comma, first = student.name.partition(",")
        first, _, last = (first, comma, last) if comma else student.name.rpartition(" ")
        names = {"first_name": first.strip(), "last_name": last, "email": student.email}
        rows.append({"who": student.id} | {key: text[:128] for key, text in names.items()})
    nameless = sa.update(gb.students).where(gb.students.c.id == sa.bindparam("who"))
    if rows:
        with Gradebook(workspace.gradebook) as gradebook, gradebook.engine.begin() as connection:
            connection.execute(nameless.where(gb.students.c.last_name.is_(None)), rows)


def final(row: Result | None) -> str:
    """Return a submission's points; nothing while an answer waits for its mark, or if it failed."""
    unknown = row is None or row.waiting or row.status == "failed"
    return "" if unknown else f"{round(row.total, 2):g}"


def modules_of(results: Results) -> list[str]:
    return sorted({row.module for row in results.graded})


def exercises(course: Course, people: Roster, results: Results) -> Table:
    """Return a row for each student, a column for each exercise and question."""
    titles = {
        module.name: notebook.titles(stored(course, module).get("cells", []))
        for module in course.modules()
        if module.name in modules_of(results)
    }
    heads = [(m, title) for m, named in titles.items() for title in dict.fromkeys(named.values())]
    names = {student.id: student for student in people.students}
    table: Table = [["id", "name", "section", *(f"{m}: {title}" for m, title in heads)]]
    for student in dict.fromkeys([*names, *(row.student for row in results.graded)]):
        known, cells = names.get(student, roster.Student(student)), []
        for module, title in heads:
            row = results.rows.get((student, module))
            held = row.scores if row else {}
            scores = [s for name, s in held.items() if titles[module].get(name) == title]
            cells.append("" if not scores or None in scores else f"{round(sum(scores), 2):g}")
        table.append([student, printable(known.name), known.section, *cells])
    return table


def moodle(people: Roster, results: Results) -> Table:
    """Return what Moodle's grade import reads: students by id number and e-mail."""
    modules = modules_of(results)
    table: Table = [["ID number", "Email address", *modules]]
    for student in people.students:
        marks = [final(results.rows.get((student.id, module))) for module in modules]
        table.append([student.id, student.email, *marks])
    return table


def canvas(course: Course, export: Path, people: Roster, results: Results) -> Table:
    """Return Canvas's own rows and columns, of its export, with a column for each module.

    A module's column is the assignment with its name in it; Canvas makes a new one of another.
    """
    rows = list(roster.table(export))
    head = [name.strip() for name in rows[0]]
    about = [n for n, name in enumerate(head) if name.casefold() in CANVAS_COLUMNS]
    of_module = {name: column_of(head, module) for module in course.modules()
                 if (name := module.name) in modules_of(results)}  # fmt: skip
    titles = [head[n] if n is not None else name for name, n in of_module.items()]
    table: Table = [[*(head[n] for n in about), *titles]]
    key = [name.casefold() for name in head].index("id")
    for row in filter(any, rows[1:]):
        row += [""] * (len(head) - len(row))
        if not row[key].strip() and "points possible" in row[0].casefold():
            most = {r.module: r.points for r in results.graded}
            marks = [row[n] if n is not None else most[name] for name, n in of_module.items()]
        else:
            found = [s for s in people.students if s.lms_id and s.lms_id == row[key].strip()]
            mine = found[0].id if found else ""
            marks = [final(results.rows.get((mine, name))) for name in of_module]
        table.append([*(row[n] for n in about), *marks])
    return table


def column_of(head: list[str], module: Module) -> int | None:
    """Return the only column of an assignment that is called like the module."""
    words = [set(name.casefold().replace(":", " ").replace("_", " ").split()) for name in head]
    named = [n for n, each in enumerate(words) if module.stem in each]
    return named[0] if len(named) == 1 else None


def zips(course: Course, workspace: Workspace, results: Results) -> Iterator[Path]:
    """Write the feedback pages under the names by which an LMS knows whose they are."""
    pages: dict[str, dict[str, Path]] = defaultdict(dict)  # by zip: names, and pages
    modules = {module.name: module for module in course.modules()}
    for row in results.graded:
        if not (module := modules.get(row.module)):
            continue  # a module that the course no longer has
        folder = workspace.submitted / row.student / module.name
        page = workspace.page(Submission(row.student, module, folder))
        source = source_of(course, row, folder)
        for kind, name in (("canvas", canvas_name(source)), ("moodle", moodle_name(source))):
            if name and page.is_file():
                pages[f"{module.name}-{kind}.zip"][name] = page
    for name, held in pages.items():
        inside = {name: page.read_bytes() for name, page in held.items()}
        yield files.write_zip(workspace.root / "feedback" / name, inside)


def source_of(course: Course, row: Result, folder: Path) -> str:
    """Return what the download called the work in a folder of submitted/; "" if it came by hand."""
    attempts = course.root / ATTEMPTS / row.module / row.student
    for path in filter(Path.is_file, folder.glob("*.*")):
        try:
            data = read_file(path, 1e6 * course.grading["file_mb"])
        except (Ungradable, OSError):
            continue
        for attempt in sorted(attempts.glob(f"*{digest(data)}"), reverse=True):
            if (attempt / SOURCE).is_file():
                return (attempt / SOURCE).read_text(encoding="utf-8")
    return ""


def canvas_name(source: str) -> str:
    """Return the name under which Canvas takes a comment file: the work's, but for its end."""
    match = CANVAS.fullmatch(PurePosixPath(source).name)
    return f"{PurePosixPath(source).name.removesuffix(match['file'])}feedback.html" if match else ""


def moodle_name(source: str) -> str:
    """Return the name under which Moodle takes a feedback file: in the work's own folder."""
    for part in PurePosixPath(source).parts:
        if match := MOODLE.fullmatch(part):
            return f"{part.removesuffix(match['file'] or '')}/feedback.html"
    return ""
