"""`grade_one`: a submission's bytes in, a graded submission out. Pure, and runs on any machine."""

import json
import random
import signal
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dateutil import tz

from coursekit import execution, notebook
from coursekit.assignment import Assignment, sha256
from coursekit.errors import Ungradable
from coursekit.grades import SubmissionGrades
from coursekit.grading import feedback
from coursekit.grading.feedback import Cells
from coursekit.grading.late import LatePolicy
from coursekit.grading.state import State
from coursekit.intake import parse, times
from coursekit.intake.collect import TIMESTAMP, HandedIn, printable
from coursekit.intake.rebuild import rebuild
from coursekit.notebook import grade_id
from coursekit.sandbox.engine import Cell, Engine, Outcome

FOR_GRADERS = "for_graders"  # in the metadata of cells that no page of a student's shows
DECOYS = 2  # of each test, among which it is run twice
READING = 20  # seconds of processor time that reading one file may take
DOUBTS = (  # of a test that passes, the worst first
    "passes a test that no right solution passes",
    "its result changes from run to run",
    "the process ended, or its time was up, before its test had run among others",
)


@dataclass(frozen=True)
class Work:
    """One submission to be graded, and what is known of it so far."""

    handed_in: HandedIn
    grades: SubmissionGrades
    key: str  # digest of what is graded, and by what
    policy: LatePolicy
    answers: Mapping[str, str]  # digests, as they were last graded


@dataclass(frozen=True)
class Graded:
    """What came of it."""

    grades: SubmissionGrades
    state: State
    notebook: str  # as JSON; "" if there is none to be graded
    page: str  # HTML
    about: Mapping[str, bytes]  # as HandedIn's


def grade_one(assignment: Assignment, work: Work, warm: Engine) -> Graded:
    """Read, rebuild, run and score one submission, and make its page."""
    grades = work.grades
    zone = tz.gettz(work.policy.timezone)
    grades.handed_in, about_time = times.handed_in(work.handed_in.about.get(TIMESTAMP), zone)
    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, READING)
    try:
        cells, notes = parse.read(work.handed_in, assignment)
        cells, repaired = rebuild(cells, assignment)
    except Ungradable as error:
        for grade in grades.grades.values():  # marks by hand stay, and ask for a look
            grade.auto_score, grade.needs_manual_grade = 0.0, grade.manual_score is not None
        state = State(key=work.key, status="zero", reason=str(error))
        return finished(assignment, work, [], state)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    outcome, checks = run(assignment, cells, work.key, warm)
    answers = {grade_id(c): sha256(c["source"]) for c in cells if notebook.is_answer(c)}
    code = sha256(*(c["source"] for c in cells if notebook.is_solution(c)))
    answers |= {name: code for name in grades.grades if name not in answers}
    again = {name for name in grades.grades if work.answers.get(name) != answers[name]}
    reasons = [*score(assignment, cells, grades, again), *explain(cells, outcome)]
    if outcome.killed:  # perhaps by its own doing, perhaps since this machine had no memory left
        reasons.append("a process was killed: the next `grade` tries again")
    if fails_a_test(cells) and not outcome.ended:
        keep_what_to_show(assignment, cells, warm)
    state = State(
        key="" if outcome.killed else work.key,
        status="graded",
        reason="; ".join(reasons),
        repaired=(*notes, *about_time, *repaired),
        suspicious=tuple(checks),
        seconds=round(outcome.seconds, 3),
        answers=answers,
    )
    return finished(assignment, work, cells, state)


def finished(assignment: Assignment, work: Work, cells: Cells, state: State) -> Graded:
    """Return a submission with what its lateness costs, its notebook and its page."""
    grades, policy = work.grades, work.policy
    grades.late_penalty = policy.penalty(grades.score, grades.handed_in, grades.due)
    state = replace(state, scores=sha256(grades.by_tests()), marks=standing(grades, policy))
    rest = {"metadata": {"kernelspec": assignment.kernelspec}, "nbformat": 4, "nbformat_minor": 5}
    whole = {"cells": [*for_graders(assignment, cells)], **rest}
    text = json.dumps(whole) + "\n" if cells else ""
    page = feedback.page(assignment, cells, grades, state)
    return Graded(grades, state, text, page, work.handed_in.about)


def for_graders(assignment: Assignment, cells: Cells) -> Iterator[Mapping]:
    """Yield the cells, below each answer what it is marked by: for formgrader, for no student."""
    marked_by = {grade_id(c): c["source"] for c in assignment.cells if notebook.is_answer(c)}
    for cell in cells:
        if not cell["metadata"].get(FOR_GRADERS):  # one of an earlier time
            yield cell
        if text := marked_by.get(grade_id(cell)):
            lines = "#### For the grader: model answer and rubric", *notebook.split_regions(text)[1]
            yield {"cell_type": "markdown", "id": f"{grade_id(cell)[:50]}-rubric",
                   "metadata": {FOR_GRADERS: True}, "source": "\n".join(lines)}  # fmt: skip


def standing(grades: SubmissionGrades, policy: LatePolicy) -> str:
    """Return a digest of what may change after grading: marks by hand, and what is late."""
    return sha256(repr((grades.by_hand(), grades.due, policy)))


def give_up(*_: object) -> None:
    raise Ungradable(f"to read it takes more than {READING} s of processor time")


def run(assignment: Assignment, cells: Cells, key: str, warm: Engine) -> tuple[Outcome, list[str]]:
    """Run all cells, each test twice among decoys; return how it went and what no test proves.

    The places are drawn from the digest of what is graded: the same each time, known to nobody.
    Decoys cost nobody a point: whoever fails a test is graded by another run, without any. What is
    told is of points that there are: by chance, wrong work may be what a decoy asks for. Points are
    proven by runs that came to their end, and by no others: code may see to it that some do not.
    """
    dice = random.Random(key)
    runs: list[tuple[int, Cell]] = []
    for number, cell in execution.to_run(assignment, cells):
        wanted = among_decoys(assignment, cell, dice) if cell.kind == "test" else [cell]
        runs += [(number, each) for each in wanted]
    outcome = first = warm.run(execution.job(assignment, [cell for _, cell in runs]))
    doubts: dict[int, int] = {}  # of tests, by the numbers of their cells
    for (number, cell), outputs in zip(runs, outcome.outputs, strict=True):
        if cell.counts:
            cells[number]["outputs"] = outputs  # None where it ended before: all runs again, below
        if cell.kind == "test" and (outputs is None or execution.fails(outputs) != cell.decoy):
            doubt = 2 if outputs is None else 0 if cell.decoy else 1
            doubts[number] = min(doubt, doubts.get(number, doubt))
    if outcome.ended or fails_a_test(cells):
        outcome = execution.run(warm, assignment, cells)
    told = [n for n in sorted(doubts) if not execution.fails(cells[n]["outputs"])]
    notes = (f"{assignment.titles[grade_id(cells[n])]}: {DOUBTS[doubts[n]]}" for n in told)
    return replace(outcome, killed=first.killed or outcome.killed), list(dict.fromkeys(notes))


def among_decoys(assignment: Assignment, test: Cell, dice: random.Random) -> list[Cell]:
    """Return a test twice, at random places among a few of its decoys; only the first counts."""
    known = assignment.decoys.get(test.name, [])
    chosen = dice.sample(known, min(DECOYS, len(known)))
    runs = [replace(test, source=source, decoy=True, counts=False) for source in chosen]
    first, second = sorted(dice.sample(range(len(runs) + 2), 2))
    runs.insert(first, test)
    runs.insert(second, replace(test, counts=False))
    return runs


def score(
    assignment: Assignment, cells: Cells, grades: SubmissionGrades, again: Collection[str]
) -> Iterator[str]:
    """Write points and comments into the grades; yield what a person should know of a test.

    `again` are the answers that are other ones now: only their marks by hand ask for a look.
    """
    given = {grade_id(c): g for c, g in zip(assignment.cells, assignment.given, strict=True)}
    dropped = assignment.limits.get("drop", [])
    for cell in cells:
        name = grade_id(cell)
        untouched = not notebook.is_provided(cell) and cell["source"] == given.get(name)
        if grade := grades.grades.get(name):
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
            if grade.manual_score is None:
                grade.needs_manual_grade = grade.auto_score is None
            else:  # asked of a person once, it stays so until they look at it
                grade.needs_manual_grade |= name in again
                mark, most = grade.manual_score, grade.max_score
                if name in dropped or mark > most:
                    yield f"{name}: marked by hand with {mark:g} of {most:g}"
        if name in grades.comments:
            grades.comments[name].auto_comment = "No response." if untouched else None


def explain(cells: Cells, outcome: Outcome) -> Iterator[str]:
    """Yield what a person should know of a run: what broke first, what ended it early."""
    broken, loud = [], []
    for cell in filter(notebook.is_code, cells):
        outputs = cell.get("outputs", [])
        errors = [o["ename"] for o in outputs if o["output_type"] == "error"]
        name = grade_id(cell) or "a cell of the student's own"
        if execution.TIME_IS_UP in errors and not outcome.ended:
            broken.append(f"{name} ran out of time")
        elif notebook.is_test(cell):
            loud += [name] if execution.fails(outputs) and not errors else []
        elif {*errors} - {"NotImplementedError", execution.NEVER_CAME}:
            broken.append(f"{name}: {printable(errors[0])}")
    yield from broken[:1]
    if outcome.ended:
        unfinished = [execution.not_run(outcome.ended)]
        names = [grade_id(cell) for cell in cells if cell.get("outputs") == unfinished]
        where = f", in {names[0]}" if any(names[:1]) else ""
        yield f"not all cells ran: {outcome.ended}{where}"
    if loud:
        yield f"failed by writing to stderr: {', '.join(loud)}"


def keep_what_to_show(assignment: Assignment, cells: Cells, warm: Engine) -> None:
    """Keep in each cell the outputs that a student may see: of a run without any hidden test.

    Code that has met a hidden test can put its values into any output; a process that never met
    one cannot. Where every test passed, or met only a stub, there is nothing to show.
    """
    copies = [{**cell} for cell in cells]
    execution.run(warm, assignment, copies, hidden=False)
    for cell, copy in zip(cells, copies, strict=True):
        if grade_id(cell):
            cell["metadata"]["shown"] = copy.get("outputs", [])


def fails_a_test(cells: Cells) -> bool:
    """Tell whether a test failed, and not only because it met nbgrader's stub."""
    tests = [cell["outputs"] for cell in cells if notebook.is_test(cell)]
    return any(execution.fails(outputs) and not feedback.is_stub(outputs) for outputs in tests)
