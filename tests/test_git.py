"""A course in git: what students need is kept, what is theirs is not."""

import subprocess
import zipfile
from pathlib import Path

import pytest
from living import MODULE, Living, copy_of, snapshot

DATA = {
    "prices.csv": b"day,price\r\n1,2.5\r\n",  # as Excel writes it
    "noise.npz": bytes(range(256)),
    "photo.png": b"\x89PNG\r\n\x1a\n\0",
    "notes.txt": "Größe\r\n".encode(),
    "run.log": b"epoch 1\n",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody who has set up nothing; return what it printed."""
    me = ["-c", "user.name=Ada", "-c", "user.email=ada@example.edu"]
    command = ["git", "-C", str(folder), *me, *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def commit(course: Living) -> None:
    git(course.root, "init", "--quiet")
    git(course.root, "add", "--all")
    git(course.root, "commit", "--quiet", "--message", "Start the course")


@pytest.mark.slow
def test_a_clone_builds_the_same_kit(
    built: Living, tmp_path: Path, decoys_stay: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies beside a notebook reaches students, from whichever machine it is built."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    first = copy_of(built.root, tmp_path / "first" / built.root.name)
    for name, data in DATA.items():
        (first.source.parent / name).write_bytes(data)
    first.ok("build")
    commit(first)
    git(tmp_path, "clone", "--quiet", str(first.root), str(tmp_path / "second" / first.root.name))
    second = Living(tmp_path / "second" / first.root.name)
    assert not second.released.exists()
    second.ok("build")
    kits = [next((course.root / "dist").glob("*.zip")) for course in (first, second)]
    held = [{n: z.read(n) for n in z.namelist()} for z in map(zipfile.ZipFile, kits)]
    assert held[0].keys() == held[1].keys()
    assert [name for name in held[0] if held[0][name] != held[1][name]] == []
    folder = f"{kits[1].stem}/{MODULE}"
    assert {name: held[1][f"{folder}/{name}"] for name in DATA} == DATA
    assert git(second.root, "status", "--porcelain") == ""


def test_a_term_leaves_nothing_for_git(built: Living, tmp_path: Path) -> None:
    """After rosters, submissions, grades, marks and comparisons git has nothing to add."""
    course = copy_of(built.root, tmp_path / built.root.name)
    commit(course)
    tracked = git(course.root, "ls-files").splitlines()
    export = course.root / "2027-01-31 Grades.csv"  # saved from an LMS into the course's folder
    rows = (
        "Student,ID,SIS User ID,SIS Login ID,Section\nByron Ada,1,ada,ada,A\nRoss Bob,2,bob,bob,A\n"
    )
    export.write_text(rows, encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    for student in ("ada", "bob"):
        course.hand_in(student, course.solved())
    course.ok("grade")
    course.ok("mark", MODULE)
    course.ok("compare", MODULE)
    (course.root / "bob_tensor_dev.ipynb").write_text("{}", encoding="utf-8")
    made = {name.partition("/")[0] for name in snapshot(course.root)} - {".git"}
    wanted = {
        "roster.csv",
        "grades.csv",
        "gradebook.db",
        "feedback",
        "grades",
        "marking",
        "compare",
    }
    assert wanted <= made
    assert git(course.root, "status", "--porcelain") == ""
    assert git(course.root, "ls-files").splitlines() == tracked
    assert not [name for name in tracked if "ada" in name or name.endswith((".csv", ".db"))]
