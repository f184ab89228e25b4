"""A course for years: it knows its template, takes newer ones in, and begins terms anew."""

import contextlib
import difflib
import json
import os
import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import post_gen_project as post
import pytest
from delimiters import ROOT, TEMPLATE, tracked_files
from gradebooks import opened, url_of
from living import MODULE, Living, copy_of, grades, snapshot
from nbgrader.api import Gradebook

RECORD = ".template.json"
ANSWERS = {"course_slug": "dl", "package_name": "petitorch", "last_module": "02_activations"}


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let git know who commits, and nothing that is set on this machine."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Ada")
        monkeypatch.setenv(f"{name}_EMAIL", "ada@example.edu")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def commit(folder: Path, message: str = "…") -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def into_git(course: Path) -> Living:
    git(course, "init", "--quiet")
    commit(course)
    return Living(course)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return a clone of this repository, whose last commit is what lies here."""
    git(ROOT, "clone", "--quiet", str(ROOT), str(tmp_path / "template"))
    clone = tmp_path / "template"
    git(clone, "remote", "remove", "origin")  # this path is all that the course will know
    git(clone, "rm", "-r", "--quiet", ".")
    for path in tracked_files():
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    commit(clone)
    return clone


@pytest.fixture
def baked(cookiecutter, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that bakes another template into a folder of its own."""

    def bake(template: Path, to: str, **answers: str) -> Path:
        folder = tmp_path / to
        folder.mkdir()
        given = [f"{name}={value}" for name, value in (ANSWERS | answers).items()]
        command = cookiecutter(folder, "--no-input", *given, template=template)
        assert command.returncode == 0, command.stdout + command.stderr
        return folder / ANSWERS["course_slug"]

    return bake


# ---- A course knows where it comes from


def test_recorded_answers_bake_the_same_bytes(fresh: Living, bake: Callable[..., Path]) -> None:
    record = json.loads((fresh.root / RECORD).read_text(encoding="utf-8"))
    assert snapshot(bake(**record["answers"])) == snapshot(fresh.root)


def test_a_clone_is_known_by_its_address_without_the_password(history: Path) -> None:
    git(history, "remote", "add", "origin", "https://me:secret@example.org/template.git")
    git(history, "tag", "2099.1.0")
    context = {"_repo_dir": "template", "_template": "gh:o/t", "_output_dir": "/", "term": "T"}
    assert post.origin(context, str(history.parent)) == {
        "template": "https://example.org/template.git",
        "version": "2099.1.0",
        "answers": {"term": "T"},
    }


def test_what_came_out_of_no_repository_says_what_to_write(fresh: Living, tmp_path: Path) -> None:
    course = into_git(copy_of(fresh.root, tmp_path / "course").root)
    said = course.refused("update")
    assert f"{course.root / RECORD} must say what was baked" in said and '"version": "a tag' in said
    (course.root / RECORD).write_text("{}", encoding="utf-8")
    assert course.refused("update", "--check") == said


# ---- A newer template


@pytest.mark.slow
def test_what_people_did_survives_update_after_update(
    history: Path, baked: Callable[..., Path], tmp_path: Path
) -> None:
    tag = subprocess.run(["git", "describe", "--tags", "--abbrev=0", "HEAD~2"], cwd=history,
                         capture_output=True, encoding="utf-8").stdout.strip()  # fmt: skip
    before = tag or git(history, "rev-list", "--skip=150", "--max-count=1", "HEAD")
    if not before or git(ROOT, "rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("this clone has no history")
    newest = git(history, "rev-parse", "HEAD")
    git(history, "checkout", "--quiet", before)
    course = baked(history, "old")
    git(history, "checkout", "--quiet", "-")
    record = {"template": str(history), "version": before, "answers": ANSWERS | {"gone": "1"}}
    (course / RECORD).write_text(json.dumps(record), encoding="utf-8")
    expected = snapshot(baked(history, "new"))

    # Four kinds of change, where the template has none.
    living = into_git(course)
    source = "modules/01_tensor/tensor_dev.py"
    old = (course / source).read_text(encoding="utf-8").splitlines(keepends=True)
    new = expected[source].decode("utf-8").splitlines(keepends=True)
    same = difflib.SequenceMatcher(None, old, new, autojunk=False).find_longest_match()
    mine = ["# Said in our words.\n"]
    old[same.a + same.size // 2 : same.a + same.size // 2] = mine
    new[same.b + same.size // 2 : same.b + same.size // 2] = mine
    (course / source).write_text("".join(old), encoding="utf-8")
    expected[source] = "".join(new).encode("utf-8")
    unneeded = (".devcontainer/devcontainer.json", "LICENSE", ".pre-commit-config.yaml")
    deleted = next(name for name in unneeded if expected[name] == snapshot(course)[name])
    (course / deleted).unlink()
    del expected[deleted]
    setting = "01_tensor = 2027-02-02  # a holiday\n# 01_tensor"
    living.edit(course / "course.toml", "# 01_tensor", setting)
    expected["course.toml"] = expected["course.toml"].replace(b"# 01_tensor", setting.encode(), 1)
    own = {f"modules/90_mine/{name}": b"1\n" for name in ("mine_dev.py", "README.md")}
    for name, data in own.items():
        (course / name).parent.mkdir(exist_ok=True)
        (course / name).write_bytes(data)
    expected |= own
    commit(course)

    assert before[:12] in living.refused("update", "--check", newest)
    assert git(course, "status", "--porcelain") == ""
    living.ok("update", newest)
    found = {name: data for name, data in snapshot(course).items() if not name.startswith(".git/")}
    assert found.keys() == expected.keys()
    assert not {name for name in found if found[name] != expected[name]}

    # A fork with another history; then the template has a tag, a new file and a new line.
    shutil.rmtree(course / ".git")
    into_git(course)
    readme = history / TEMPLATE / "README.md"
    living.edit(readme, "## What is where\n", "## What is where\n\nA new line.\n")
    (history / TEMPLATE / "bench" / "new.txt").write_text("new\n", encoding="utf-8")
    commit(history)
    git(history, "tag", "2099.1.0")
    (course / "bench" / "new.txt").write_text("not in git\n", encoding="utf-8")
    said = living.refused("update")
    assert "brings bench/new.txt, and yours is not in git" in said
    assert (course / "bench" / "new.txt").read_text(encoding="utf-8") == "not in git\n"
    (course / "bench" / "new.txt").unlink()
    assert " to 2099.1.0, at " in living.refused("update", "--check")
    living.ok("update")
    assert "A new line." in (course / "README.md").read_text(encoding="utf-8")
    assert (course / "bench" / "new.txt").read_text(encoding="utf-8") == "new\n"
    assert (course / source).read_text(encoding="utf-8") == "".join(new)
    assert not (course / deleted).exists()
    living.ok("update", "--check")
    assert "No tag is newer than 2099.1.0" in living.ok("update")

    # Both change one line.
    living.edit(readme, "A new line.", "Their line.")
    theirs = commit(history)
    living.edit(course / "README.md", "A new line.", "Our line.")
    (course / "README.md").touch()
    assert "not committed" in living.refused("update", theirs)
    ours = commit(course)
    said = living.refused("update", theirs)
    assert "template's meet in README.md" in said
    assert "An update is half done" in living.refused("update", "--check")
    text = (course / "README.md").read_text(encoding="utf-8")
    assert text.index("Our line.") < text.index("=======") < text.index("Their line.")
    git(course, "cherry-pick", "--abort")
    assert git(course, "rev-parse", "HEAD") == ours
    assert git(course, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_removed_module_stays_removed_and_a_new_question_is_asked(
    history: Path, baked: Callable[..., Path]
) -> None:
    living = into_git(baked(history, "old", last_module="02_activations"))
    git(living.root, "rm", "-rq", "modules/02_activations")
    commit(living.root)
    readme = history / TEMPLATE / "modules" / "02_activations" / "README.md"
    living.edit(readme, "# Module 02", "# The Module 02")
    living.edit(history / TEMPLATE / "README.md", "# Tasks", "# The tasks")
    living.ok("update", commit(history))
    assert "# The tasks" in (living.root / "README.md").read_text(encoding="utf-8")
    assert not (living.root / "modules" / "02_activations").exists()
    assert git(living.root, "status", "--porcelain") == ""

    living.edit(history / "cookiecutter.json", '"institution":', '"school":')
    said = living.refused("update", commit(history))
    assert "asks for school (and no longer institution): answer by" in said


@pytest.mark.slow
def test_a_module_more_is_an_answer_more(
    history: Path, baked: Callable[..., Path], tmp_path: Path
) -> None:
    """In a course that is a folder of a larger repository, and was renamed."""
    living = Living(tmp_path / "all" / "deep learning")
    living.root.parent.mkdir()
    baked(history, "old", last_module="01_tensor").rename(living.root)
    into_git(living.root.parent)
    said = living.refused("update", "--answer", "last_module", "99_wishes")
    assert "cannot be baked with" in said and "99_wishes" in said
    living.ok("update", "--answer", "last_module", "02_activations")
    assert snapshot(living.root) == snapshot(baked(history, "new"))
    assert git(living.root, "status", "--porcelain") == ""


def test_update_says_what_is_in_the_way(fresh: Living, history: Path, tmp_path: Path) -> None:
    course = copy_of(fresh.root, tmp_path / "course")
    record = {"template": str(history), "version": "", "answers": {}}

    def refused(**changed: str) -> str:
        text = json.dumps(record | changed)
        (course.root / RECORD).write_text(text, encoding="utf-8")
        return course.refused("update")

    assert f"{history} has no version 'lost'" in refused(version="lost")
    assert "nowhere cannot be cloned" in refused(version="1", template=str(tmp_path / "nowhere"))
    before = git(history, "rev-parse", "HEAD")
    commit(history)
    git(history, "tag", "2099.1.0")
    assert "not a git repository" in refused(version=before)
    git(course.root, "init", "--quiet")
    assert "git commit -m Course" in refused(version=before)
    commit(course.root)
    assert "has changes that are not committed" in refused(version=before[:9])


# ---- A new term

NEXT = ("term", "Autumn 2027", "--first-day", "2027-09-06")
EXTRAS = """
[[extension]]  # ill
student = "ada"
module = "01_tensor"
until = 2027-02-08
"""


def marks(gradebook: Path) -> dict[str, float]:
    """Return each student's points, as nbgrader reads them."""
    with Gradebook(f"sqlite:///{gradebook}") as book:
        return {each["student"]: each["score"] for each in book.submission_dicts(MODULE)}


def without(folder: dict[str, bytes]) -> dict[str, bytes]:
    """Return a snapshot without what a database does to its own bytes."""
    return {name: data for name, data in folder.items() if not name.startswith("gradebook.db")}


def test_dates_of_a_term_go_however_they_are_written(pair: Living, tmp_path: Path) -> None:
    course = copy_of(pair.root, tmp_path / "course")
    dates = "due.01_tensor = 2027-02-01\ndue.02_activations = 2027-02-02\n\n#"
    course.edit(course.root / "course.toml", "[schedule.due]", dates)
    course.ok(*NEXT)
    assert "due.0" not in (course.root / "course.toml").read_text(encoding="utf-8")
    course.ok("sync", "--check")


def test_a_term_ends_and_another_and_nothing_is_lost(spoilable: Living, decoys_stay: None) -> None:
    course = spoilable
    root, settings = course.root, course.root / "course.toml"
    course.edit(settings, "# 01_tensor", "01_tensor = 2027-02-01\n# 01_tensor")
    course.edit(settings, "drop = []", 'drop = ["tensor-init-test"]')
    course.edit(settings, "reference = []", 'reference = [\n    "01_tensor",\n]')
    settings.write_text(settings.read_text(encoding="utf-8") + EXTRAS, encoding="utf-8")
    term, spring = "Spring 2027", root / "archive" / "Spring-2027"
    (root / "roster.csv").write_text("id,name\nada,Ada\n", encoding="utf-8")
    (root / "canvas-gradebook.csv").write_text("Student,ID,Section\nAda,1,\n", encoding="utf-8")
    (root / "01_tensor-ben.marks.json").write_text("{}", encoding="utf-8")
    course.hand_in("ada", course.solved())
    course.ok("grade")
    score, kept = marks(root / "gradebook.db"), snapshot(root)
    ended = ("submitted", "autograded", "feedback", "grades", "roster.csv", "canvas-gradebook.csv",
             "report.html", "dist", "release", "course.toml",
             "01_tensor-ben.marks.json")  # fmt: skip
    kept = {name: data for name, data in kept.items() if name.startswith(ended)}
    assert score["ada"] > 0 and set(ended) <= {Path(name).parts[0] for name in kept}

    said = course.ok(*NEXT)
    assert f"{term} is in archive/Spring-2027/" in said
    assert "[schedule] due, [kit] reference, [grading] drop, [[extension]] cleared" in said
    assert without(snapshot(spring)) == kept
    assert marks(spring / "gradebook.db") == score
    changed = tomllib.loads(settings.read_text(encoding="utf-8"))
    assert changed["course"]["term"] == "Autumn 2027" and "extension" not in changed
    assert str(changed["schedule"]["first_day"]) == "2027-09-06" and not changed["schedule"]["due"]
    assert not changed["kit"]["reference"] and not changed["grading"]["drop"]
    assert '# an IANA name, e.g. "Europe/Paris"' in settings.read_text(encoding="utf-8")

    course.ok("build")
    course.hand_in("bob", course.solved(lambda number: number < 3))
    course.ok("grade")
    assert set(grades(course)) == {"bob"} == set(marks(root / "gradebook.db"))
    report = (root / "report.html").read_text(encoding="utf-8")
    assert "Autumn 2027" in report and "Spring 2027" not in report

    before = snapshot(root)
    assert "the term is Autumn 2027 already" in course.refused(*NEXT)  # typed again, by mistake
    assert snapshot(root) == before
    assert "archive/Autumn-2027/" in course.ok("term", term, "--first-day", "2028-01-10")
    assert set(marks(root / "archive" / "Autumn-2027" / "gradebook.db")) == {"bob"}
    (root / "grades.csv").write_text("of another spring", encoding="utf-8")
    assert "archive/Spring-2027-2/" in course.ok(*NEXT)
    assert without(snapshot(spring)) == kept


def a_term(fresh: Living, to: Path) -> Living:
    """Return a course that looks as after a term."""
    course = copy_of(fresh.root, to)
    for name in ("submitted/ada/01_tensor/tensor_dev.ipynb", "grades/moodle.csv", "grades.csv"):
        (course.root / name).parent.mkdir(parents=True, exist_ok=True)
        (course.root / name).write_text(name, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as db, db:
        db.execute("CREATE TABLE student (id)")
    return course


def test_a_term_that_is_interrupted_goes_on(
    fresh: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step comes last: each makes, moves or replaces one thing."""
    steps = {name: getattr(os, name) for name in ("rename", "replace", "mkdir")}
    whole = a_term(fresh, tmp_path / "whole")
    whole.ok(*NEXT)
    expected, interrupted = snapshot(whole.root), 0
    for last in range(99):
        course, left = a_term(fresh, tmp_path / str(last)), iter(range(last))

        def step(*given, of, left=left, **options):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return steps[of](*given, **options)

        with monkeypatch.context() as patched:
            for name in steps:
                patched.setattr(os, name, lambda *a, of=name, **o: step(*a, of=of, **o))
            done = course.call(*NEXT)
        if done.returncode == 0:
            break
        interrupted += 1
        assert done.returncode == 130, done.stderr
        course.ok(*NEXT)
        found = snapshot(course.root)
        assert found == expected, last
    assert interrupted > 6


def test_what_was_made_anew_meanwhile_is_not_written_over(fresh: Living, tmp_path: Path) -> None:
    course = a_term(fresh, tmp_path / "course")
    partial = course.root / "archive" / "Spring-2027.partial"
    partial.mkdir(parents=True)
    (partial / "grades.csv").write_text("older", encoding="utf-8")
    assert "both are there" in course.refused(*NEXT)
    assert (partial / "grades.csv").read_text(encoding="utf-8") == "older"
    assert (course.root / "grades.csv").is_file()


def test_a_fork_starts_clean(fresh: Living, tmp_path: Path) -> None:
    course = copy_of(fresh.root, tmp_path / "fork")
    assert "No work and no grades of Spring 2027 are here" in course.ok(*NEXT)
    assert not (course.root / "archive").exists()
    assert 'term = "Autumn 2027"' in (course.root / "course.toml").read_text(encoding="utf-8")


def test_what_is_of_the_last_term_goes_and_all_else_stays(fresh: Living, tmp_path: Path) -> None:
    """Wherever it stands in course.toml, and however its lines end."""
    course = copy_of(fresh.root, tmp_path / "course")
    path = course.root / "course.toml"
    clean = path.read_bytes().decode("utf-8")
    sections = "".join(f"[schedule.sections.{name}]\n01_tensor = 2027-02-03\n" for name in "AB")
    course.edit(path, "# 01_tensor = 2027-02-01\n", "01_tensor = 2027-02-01 12:00:00  # noon\n")
    course.edit(path, "[kit]", f"{EXTRAS}{EXTRAS}\n{sections}\n[kit]")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    said = course.ok("term", 'Fall "27" \\ é', "--first-day", "2027-09-06")
    assert "[schedule] due, [schedule] sections, [[extension]] cleared" in said
    text = path.read_bytes().decode("utf-8")
    assert text.count("\n") == text.count("\r\n")
    expected = tomllib.loads(clean)
    expected["course"]["term"] = 'Fall "27" \\ é'
    found = tomllib.loads(text)
    assert str(found["schedule"].pop("first_day")) == "2027-09-06"
    assert not found["schedule"].pop("sections", None)
    del expected["schedule"]["first_day"]
    assert found == expected
    comments = [line.partition("#")[2].strip() for line in clean.splitlines() if "#" in line]
    assert [comment for comment in comments if comment not in text] == ["01_tensor = 2027-02-01"]


def test_a_gradebook_elsewhere_is_kept_and_not_used_again(fresh: Living, tmp_path: Path) -> None:
    course = copy_of(fresh.root, tmp_path / "course")
    (tmp_path / "server").mkdir()
    url = url_of(tmp_path / "server")
    with opened(tmp_path / "server") as book:
        book.add_student("ada")
    course.edit(course.root / "course.toml", "# db_url", f'db_url = "{url}"\n# db_url')
    before = snapshot(course.root)
    assert "make a new database, write its address there" in course.refused(*NEXT)
    assert snapshot(course.root) | {".grade.lock": b""} == before | {".grade.lock": b""}
    course.edit(course.root / "course.toml", "server/gradebook.db", "new.db")
    course.ok(*NEXT)


def test_a_gradebook_in_use_stays(fresh: Living, tmp_path: Path) -> None:
    course = a_term(fresh, tmp_path / "course")
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as db, db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("INSERT INTO student VALUES ('ada')")
        db.commit()
        assert "is open in another program" in course.refused(*NEXT)
        assert (course.root / "gradebook.db").is_file()
    course.ok(*NEXT)
    (course.root / "gradebook.db").write_bytes(b"broken")
    course.ok("term", "Winter", "--first-day", "2028-01-10")
    assert (course.root / "archive" / "Autumn-2027" / "gradebook.db").read_bytes() == b"broken"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Autumn", "--first-day", "6.9.2027"), "6.9.2027 is no date of a term; write it as 2027-"),
        (("Autumn", "--first-day", "9027-09-06"), "9027-09-06 is no date of a term"),
        (("Autumn",), "--first-day"),
        ((" ", "--first-day", "2027-09-06"), "names no term"),
    ],
)
def test_a_term_needs_a_name_and_a_day(fresh: Living, arguments: tuple, said: str) -> None:
    before = snapshot(fresh.root)
    assert said in fresh.refused("term", *arguments)
    assert snapshot(fresh.root) == before
