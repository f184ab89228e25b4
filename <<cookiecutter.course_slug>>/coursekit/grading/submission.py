"""`grade_one`: a submission's bytes in, a graded submission out. Pure, and runs on any machine."""

import contextlib
import json
import random
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dateutil import tz

from coursekit import execution, notebook
from coursekit.assignment import Assignment, sha256
from coursekit.errors import Ungradable
from coursekit.grades import SubmissionGrades
from coursekit.grading import feedback
from coursekit.grading.late import LatePolicy
from coursekit.grading.state import State
from coursekit.intake import parse, times
from coursekit.intake.collect import HandedIn, printable
from coursekit.intake.rebuild import rebuild
from coursekit.notebook import grade_id
from coursekit.sandbox.engine import Cell, Engine, Outcome

DECOYS = 2  # of each test, among which it is run twice
READING = 20  # seconds of processor time that reading one file may take

Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """One submission to be graded, and what is known of it so far."""

    handed_in: HandedIn
    grades: SubmissionGrades
    key: str  # digest of what is graded, and by what
    policy: LatePolicy
    answers: Mapping[str, str] = field(default_factory=dict)  # digests, as they were last graded


@dataclass(frozen=True)
class Graded:
    """What came of it."""

    grades: SubmissionGrades
    state: State
    notebook: str  # as JSON; "" if there is none to be graded
    page: str  # HTML


def grade_one(assignment: Assignment, work: Work, warm: Engine) -> Graded:
    """Read, rebuild, run and score one submission, and make its page."""
    grades = work.grades
    zone = tz.gettz(work.policy.timezone)
    grades.handed_in, about_time = times.handed_in(work.handed_in.stamp, zone)
    try:
        cells, repaired = read(assignment, work.handed_in, about_time)
    except Ungradable as error:
        return refused(assignment, work, str(error))
    outcome, checks = run(assignment, cells, work.key, warm)
    notes = [*score(assignment, cells, grades), *explain(cells, outcome)]
    answers = {grade_id(c): sha256(c["source"]) for c in cells if notebook.is_answer(c)}
    confirm(grades, work.answers, answers)
    grades.late_penalty = work.policy.penalty(grades.score, grades.handed_in, grades.due)
    shown = outputs_to_show(assignment, cells, outcome, warm)
    state = State(
        key=work.key,
        marks=standing(grades, work.policy),
        status="graded",
        reason="; ".join(notes),
        repaired=tuple(repaired),
        suspicious=tuple(checks),
        seconds=round(outcome.seconds, 3),
        answers=answers,
    )
    for cell in cells:
        if grade_id(cell) in shown:
            cell["metadata"]["shown"] = shown[grade_id(cell)]
    text = json.dumps(
        {"cells": cells, "metadata": {"kernelspec": assignment.kernelspec}, "nbformat": 4,
         "nbformat_minor": 5}
    )  # fmt: skip
    return Graded(grades, state, text + "\n", feedback.page(assignment, cells, grades, state))


def read(assignment: Assignment, handed_in: HandedIn, about_time: list[str]) -> tuple[Cells, list]:
    """Return a sound notebook and what was put right; no file may take long to be read."""
    with time_limit(READING):
        cells, notes = parse.read(handed_in, assignment)
        cells, repaired = rebuild(cells, assignment)
    return cells, [*notes, *about_time, *repaired]


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise Ungradable in what takes longer, in seconds of this process's own processor time."""

    def ring(*_: object) -> None:
        raise Ungradable(f"to read it takes more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def run(assignment: Assignment, cells: Cells, key: str, warm: Engine) -> tuple[Outcome, list[str]]:
    """Run all cells, each test twice among decoys; return how it went and what no test proves.

    The places are drawn from the digest of what is graded: the same each time, known to nobody.
    Decoys cost nobody a point: whoever fails a test is graded by another run, without any.
    """
    dice = random.Random(key)
    numbers, runs = [], []
    for number, cell in execution.to_run(assignment, cells):
        wanted = among_decoys(assignment, cell, dice) if cell.kind == "test" else [cell]
        runs += wanted
        numbers += [number] * len(wanted)
    outcome = warm.run(execution.job(assignment, runs))
    first: set[int] = set()
    notes: dict[str, None] = {}
    for number, cell, outputs in zip(numbers, runs, outcome.outputs, strict=True):
        title = assignment.titles.get(cell.name, cell.name)
        if cell.decoy:
            if outputs is not None and not execution.fails(outputs):
                notes[f"{title}: passes a test that no right solution passes"] = None
        elif number not in first:
            first.add(number)
            cells[number]["outputs"] = (
                [execution.not_run(outcome.ended)] if outputs is None else outputs
            )
        elif outputs is not None and execution.fails(outputs) and not outcome.ended:
            notes[f"{title}: its result changes from run to run"] = None
    if outcome.ended or fails_a_test(cells):
        outcome = execution.run(warm, assignment, cells)
    return outcome, list(notes)


def fails_a_test(cells: Cells) -> bool:
    """Tell whether a test failed, and not only because it met nbgrader's stub."""
    tests = [cell["outputs"] for cell in cells if notebook.is_test(cell)]
    return any(execution.fails(outputs) and not is_stub(outputs) for outputs in tests)


def among_decoys(assignment: Assignment, test: Cell, dice: random.Random) -> list[Cell]:
    """Return a test twice, at random places among a few of its decoys; only the first counts."""
    known = assignment.decoys.get(test.name, [])
    chosen = dice.sample(known, min(DECOYS, len(known)))
    runs = [Cell(test.name, source, "test", decoy=True, counts=False) for source in chosen]
    again = Cell(test.name, test.source, "test", counts=False)
    for place in sorted(dice.sample(range(len(runs) + 2), 2)):
        first = all(cell.decoy for cell in runs[:place])
        runs.insert(place, test if first else again)
    return runs


def score(assignment: Assignment, cells: Cells, grades: SubmissionGrades) -> Iterator[str]:
    """Write points and comments into the grades; yield what a person should know of a test."""
    given = {grade_id(c): g for c, g in zip(assignment.cells, assignment.given, strict=True)}
    dropped = set((assignment.limits or {}).get("drop", []))
    for cell in cells:
        name = grade_id(cell)
        untouched = not notebook.is_provided(cell) and cell["source"] == given.get(name)
        if name in grades.grades:
            grade = grades.grades[name]
            if name in dropped:
                grade.auto_score = grade.max_score
            elif notebook.is_answer(cell):
                grade.auto_score = 0.0 if untouched else None
            else:
                try:
                    grade.auto_score = execution.points(cell["outputs"], grade.max_score)
                except ValueError as error:
                    grade.auto_score = 0.0
                    yield f"{name}: {error}"
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        if name in grades.comments:
            grades.comments[name].auto_comment = "No response." if untouched else None


def confirm(grades: SubmissionGrades, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Ask again for the mark of an answer only if the answer is another one."""
    for grade in grades.grades.values():
        if grade.manual_score is not None:
            grade.needs_manual_grade = before.get(grade.name) != now.get(grade.name)


def explain(cells: Cells, outcome: Outcome) -> Iterator[str]:
    """Yield what a person should know of a run: what broke first, what ended it early."""
    broken, loud = [], []
    for cell in filter(notebook.is_code, cells):
        outputs = cell.get("outputs", [])
        errors = [o["ename"] for o in outputs if o["output_type"] == "error"]
        name = grade_id(cell) or "a cell of the student's own"
        if execution.TIME_IS_UP in errors and not outcome.ended:
            broken.append(f"{name} ran out of time")
        elif notebook.is_test(cell) and execution.fails(outputs) and not errors:
            loud.append(name)
        elif set(errors) - {"NotImplementedError", execution.NEVER_CAME} and (
            not notebook.is_test(cell)
        ):
            broken.append(f"{name}: {printable(errors[0])}")
    yield from broken[:1]
    if outcome.ended:
        unfinished = [execution.not_run(outcome.ended)]
        names = [grade_id(cell) for cell in cells if cell.get("outputs") == unfinished]
        where = f", in {names[0]}" if any(names[:1]) else ""
        yield f"not all cells ran: {outcome.ended}{where}"
    if loud:
        yield f"failed by writing to stderr: {', '.join(loud)}"


def outputs_to_show(
    assignment: Assignment, cells: Cells, outcome: Outcome, warm: Engine
) -> dict[str, list]:
    """Return the outputs that a student may see, by grade_id: of a run without any hidden test.

    Code that has met a hidden test can put its values into any output; a process that never met
    one cannot. Where every test passed, or met only a stub, there is nothing to show.
    """
    if outcome.ended or not fails_a_test(cells):
        return {}
    copies = [{**cell} for cell in cells]
    execution.run(warm, assignment, copies, hidden=False)
    return {grade_id(c) or f"cell {n}": c.get("outputs", []) for n, c in enumerate(copies)}


def is_stub(outputs: list) -> bool:
    """Tell whether a test met nbgrader's stub, an error without a text."""
    return any(o.get("ename") == "NotImplementedError" and not o["evalue"] for o in outputs)


def standing(grades: SubmissionGrades, policy: LatePolicy) -> str:
    """Return a digest of what may change after grading: marks by hand, and what is late."""
    return sha256(repr((grades.by_hand(), grades.due, policy)))


def refused(assignment: Assignment, work: Work, reason: str) -> Graded:
    """Return 0 for every cell, and say why on the page; marks by hand stay, and ask for a look."""
    grades = work.grades
    for grade in grades.grades.values():
        grade.auto_score, grade.needs_manual_grade = 0.0, grade.manual_score is not None
    grades.late_penalty = work.policy.penalty(grades.score, grades.handed_in, grades.due)
    state = State(key=work.key, marks=standing(grades, work.policy), status="zero", reason=reason)
    return Graded(grades, state, "", feedback.refusal(assignment, reason))
