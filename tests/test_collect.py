"""From LMS downloads to submitted/: the right student, or a line for each file; nothing is lost.

The shapes are those of real downloads: Canvas's and Moodle's zips, Gradescope's export, clones.
"""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from living import MODULE, Living, copy_of, grades, snapshot

CANVAS_GRADEBOOK = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Tensor (101),Final Score
    Points Possible,,,,,100,(read only)
"O'Brien, Zoë",3143,u17,zobrien,Morning,,
"王, 小明",3144,u18,wang,Evening,,
"Doe, Jane",3145,u19,jdoe,Morning,,
"Doe, Jane",3146,u20,jdoe2,Evening,,
"Student, Test",9999,,abc,Morning,,
"""
MOODLE_PARTICIPANTS = """\ufeff"First name","Last name","ID number","Email address",Groups
Zoë,O'Brien,u17,zoe@example.edu,Morning
Jane,Doe,u19,jane@example.edu,
Jane,Doe,u20,jd@example.edu,
小明,王,u18,xm@example.edu,
"""


@pytest.fixture
def course(built: Living, tmp_path: Path) -> Living:
    return copy_of(built.root, tmp_path / "course")


@pytest.fixture
def canvas(course: Living, tmp_path: Path) -> Living:
    """A course that knows its students from Canvas's gradebook."""
    export = tmp_path / "grades.csv"
    export.write_text(CANVAS_GRADEBOOK, encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    return course


def zipped(path: Path, files: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def submitted(course: Living) -> dict[str, bytes]:
    """Return what lies in submitted/, by path."""
    root = course.root / "submitted"
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def test_a_roster_is_made_from_canvas_and_keeps_what_a_person_wrote(canvas: Living) -> None:
    path = canvas.root / "roster.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,name,email,lms_id,section"
    assert lines[1:] == [
        'zobrien,"O\'Brien, Zoë",,3143,Morning',
        'wang,"王, 小明",,3144,Evening',
        'jdoe,"Doe, Jane",,3145,Morning',
        'jdoe2,"Doe, Jane",,3146,Evening',
    ]
    path.write_text(path.read_text("utf-8").replace("wang,", "wang-x,") + "ada,Ada,,,\n", "utf-8")
    export = canvas.root.parent / "new.csv"
    more = CANVAS_GRADEBOOK + '"New, Nora",3150,u30,nnew,Morning,,\n'
    export.write_text(more, encoding="utf-8")
    said = canvas.ok("collect", "--roster", str(export))
    assert "6 students, 1 of them new; not in new.csv, and kept: ada" in said
    text = path.read_text(encoding="utf-8")
    assert "wang-x," in text and "nnew," in text and "wang," not in text


def test_a_roster_keeps_a_persons_columns_and_refuses_two_of_one_id(canvas: Living) -> None:
    path, export = canvas.root / "roster.csv", canvas.root.parent / "grades.csv"
    head, *rest = path.read_text(encoding="utf-8").splitlines()
    lines = [f"{head},tutor", *(f"{line},Ben" for line in rest)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    canvas.ok("collect", "--roster", str(export))
    assert path.read_text(encoding="utf-8").splitlines() == lines
    twice = CANVAS_GRADEBOOK + '"Two, Tom",5000,u9,jdoe,,,\n"Three, Tom",5001,u8,tom,,,\n'
    export.write_text(twice + '"Four, Tom",5002,u7,tom,,,\n', encoding="utf-8")
    path.unlink()
    said = canvas.refused("collect", "--roster", str(export))
    assert "have the same id" in said and not path.exists()


def test_a_canvas_download(canvas: Living, tmp_path: Path) -> None:
    nb = canvas.notebook.read_bytes()
    download = zipped(
        tmp_path / "submissions.zip",
        {
            "obrienzoë_3143_501_tensor_dev.ipynb": nb,
            "王小明_LATE_3144_502_tensor_dev-2.ipynb": nb + b" ",
            "doejane_3146_504_tensor_dev(1).ipynb": nb + b"  ",
            "ghost_77_505_tensor_dev.ipynb": nb,
            "doejane_3145_506_notes.pdf": b"%PDF",
            "doejane_3145_507_homework.ipynb": nb,
            "__MACOSX/._x.ipynb": b"",
        },
    )
    before = snapshot(tmp_path / "submissions.zip")
    done = canvas.call("collect", str(download))
    assert done.returncode == 1
    assert submitted(canvas) == {
        f"zobrien/{MODULE}/tensor_dev.ipynb": nb,
        f"wang/{MODULE}/tensor_dev.ipynb": nb + b" ",
        f"wang/{MODULE}/timestamp.txt": b"late, says the LMS\n",
        f"jdoe2/{MODULE}/tensor_dev.ipynb": nb + b"  ",
    }
    out = done.stdout
    assert "ghost_77_505_tensor_dev.ipynb: nobody in roster.csv is called lms id 77 or ghost" in out
    assert "doejane_3145_507_homework.ipynb: its name is that of no module" in out
    assert f"wang, {MODULE}: late, says the LMS, but not when it came" in out
    assert f"Missing of {MODULE}: jdoe." in out
    assert "doejane_3145_506_notes.pdf: this is no notebook, script or zip of one" in out
    assert "3 taken, 0 newer than before, 0 the same, 0 older, 3 not taken." in out
    assert snapshot(tmp_path / "submissions.zip") == before


def damaged(path: Path, name: str) -> Path:
    """Spoil the middle of a file in a zip, as a broken download or upload does."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(name.encode()) + entry.compress_size // 2
    data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)
    return path


def test_a_damaged_file_in_a_download_stops_no_other(canvas: Living, tmp_path: Path) -> None:
    nb = canvas.notebook.read_bytes()
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tensor_dev.ipynb", nb)
        archive.writestr("submission.json", '{"id": "wang", "module": "01_tensor"}')
    names = [f"{name}_tensor_dev.ipynb" for name in ("obrienzoë_3143_501", "doejane_3145_502")]
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(names[0], nb)
        archive.writestr(names[1], nb)
        archive.writestr(
            "王小明_3144_503_tensor.zip", damaged(packed, "tensor_dev.ipynb").read_bytes()
        )
    done = canvas.call("collect", str(damaged(tmp_path / "all.zip", names[0])), "--module", "01")
    assert (done.returncode, done.stderr) == (1, "")
    why = "has a password or is damaged: download it, or have it handed in, once more"
    assert f"{names[0]} {why}" in done.stdout
    assert f"王小明_3144_503_tensor.zip: tensor_dev.ipynb {why}" in done.stdout
    assert [*submitted(canvas)] == [f"jdoe/{MODULE}/tensor_dev.ipynb"]


def test_an_extension_for_nobody_is_named(canvas: Living) -> None:
    of = f'[[extension]]\nstudent = "jdo"\nmodule = "{MODULE}"\nuntil = 2027-02-08\n\n[grading]'
    canvas.edit(canvas.root / "course.toml", "\n[grading]", f"\n{of}")
    assert "student 'jdo' is no id in roster.csv; did you mean jdoe?" in canvas.refused("grade")


def test_every_attempt_is_kept_and_the_newest_is_graded(canvas: Living, tmp_path: Path) -> None:
    nb = canvas.notebook.read_bytes()
    by_hand = canvas.root / "submitted" / "zobrien" / MODULE / "tensor_dev.ipynb"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"{}")
    for number, data in enumerate((nb, nb, nb + b" ")):
        name = f"obrienzoë_3143_{number}_tensor_dev-{number}.ipynb"
        download = zipped(tmp_path / f"{number}.zip", {name: data})
        done = canvas.ok("collect", str(download))
        assert ("1 newer than before", "1 the same", "1 newer than before")[number] in done
    assert submitted(canvas) == {f"zobrien/{MODULE}/tensor_dev.ipynb": nb + b" "}
    kept = (canvas.root / "downloaded" / MODULE / "zobrien").rglob("*.ipynb")
    assert sorted(path.read_bytes() for path in kept) == sorted([b"{}", nb, nb + b" "])


def test_what_a_person_put_deeper_is_kept_and_a_broken_zip_is_taken(
    canvas: Living, tmp_path: Path
) -> None:
    deeper = canvas.root / "submitted" / "zobrien" / MODULE / "mine" / "tensor_dev.ipynb"
    deeper.parent.mkdir(parents=True)
    deeper.write_bytes(b"{}")
    files = {"obrienzoë_3143_1_tensor_dev.zip": b"PK, but no more"}
    assert "1 newer" in canvas.ok("collect", str(zipped(tmp_path / "a.zip", files)))
    assert set(submitted(canvas)) == {f"zobrien/{MODULE}/tensor_dev.zip"}
    kept = (canvas.root / "downloaded" / MODULE / "zobrien").rglob("mine/tensor_dev.ipynb")
    assert [path.read_bytes() for path in kept] == [b"{}"]


def test_a_moodle_download_as_zip_and_as_folder(course: Living, tmp_path: Path) -> None:
    export = tmp_path / "participants.csv"
    export.write_text(MOODLE_PARTICIPANTS, encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    nb = course.notebook.read_bytes()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("work/tensor_dev.ipynb", nb)
    files = {
        "Zoë O'Brien_101_assignsubmission_file_/tensor_dev.ipynb": nb,
        "小明 王_102_assignsubmission_file/all.zip": inner.getvalue(),  # from Moodle 4.1 on
        "Jane Doe_103_assignsubmission_file/tensor_dev.ipynb": nb,
    }
    done = course.call("collect", str(zipped(tmp_path / "moodle.zip", files)))
    assert "Jane Doe may be any of u19, u20" in done.stdout
    assert set(submitted(course)) == {
        f"u17/{MODULE}/tensor_dev.ipynb",
        f"u18/{MODULE}/tensor_dev.zip",
    }
    folder = tmp_path / "flat"
    folder.mkdir()
    name = "Zoë O'Brien_101_assignsubmission_file_tensor_dev.ipynb"
    (folder / name).write_bytes(nb + b" ")
    assert "1 newer than before" in course.ok("collect", str(folder))


def test_nobody_names_a_file_so_that_it_is_somebody_elses(canvas: Living, tmp_path: Path) -> None:
    """What a student names can look like what an LMS names: what is outside goes before it."""
    nb, named = canvas.released.read_bytes(), "wang_1_assignsubmission_file"
    folder = {f"jdoe/{named}_tensor_dev.ipynb": nb, "zobrien/tensor_dev.ipynb": nb}
    canvas.ok("collect", str(zipped(tmp_path / "folders.zip", folder)))
    assert set(submitted(canvas)) == {f"{w}/{MODULE}/tensor_dev.ipynb" for w in ("jdoe", "zobrien")}
    metadata = """
submission_1:
  :submitters:
  - :sid: wang
  :created_at: 2027-01-01 12:00:00.0 Z
"""
    moodle = {
        "jdoe_7_assignsubmission_file/submission_metadata.yml": metadata.encode(),
        "jdoe_7_assignsubmission_file/submission_1/tensor_dev.ipynb": nb + b" ",
    }
    done = canvas.call("collect", str(zipped(tmp_path / "moodle.zip", moodle)))
    assert "1 newer than before" in done.stdout
    assert not (canvas.root / "submitted" / "wang").exists()


def test_a_student_who_is_in_another_section_now_is_named(canvas: Living, tmp_path: Path) -> None:
    export = tmp_path / "new.csv"
    export.write_text(CANVAS_GRADEBOOK.replace("wang,Evening", "wang,Morning"), encoding="utf-8")
    assert "wang is in Morning now, and Evening here" in canvas.ok(
        "collect", "--roster", str(export)
    )
    assert "wang" in (canvas.root / "roster.csv").read_text(encoding="utf-8")


def test_a_roster_of_github_classroom(course: Living, tmp_path: Path) -> None:
    export = tmp_path / "classroom_roster.csv"
    rows = '"identifier","github_username","github_id","name"\n"doe","jdoe","7","Jane Doe"\n'
    export.write_text(rows, encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    assert "jdoe,Jane Doe" in (course.root / "roster.csv").read_text(encoding="utf-8")


def test_a_roster_of_gradescope(course: Living, tmp_path: Path) -> None:
    export = tmp_path / "course_roster.csv"
    head = "First Name,Last Name,SID,Email,Role,Sections\n"
    export.write_text(f"{head}Jane,Doe,u7,jane@example.edu,Student,A\n", encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    made = (course.root / "roster.csv").read_text(encoding="utf-8")
    assert "u7,Jane Doe,jane@example.edu,,A\n" in made


def test_what_replaces_work_after_the_due_date_is_named(canvas: Living, tmp_path: Path) -> None:
    """As a clone of later modules does in which an earlier one was changed."""
    nb = canvas.released.read_bytes()
    given = f'[[extension]]\nstudent = "jdoe"\nmodule = "{MODULE}"\nuntil = 2027-02-01\n\n'
    for day, data in ((20, nb), (28, nb + b" "), (29, nb + b"  ")):
        if day == 29:
            canvas.edit(canvas.root / "course.toml", "[grading]", given + "[grading]")
        about = {"id": "jdoe", "name": "J", "module": MODULE, "time": f"2027-01-{day}T12:00+00:00"}
        about["sha256"] = hashlib.sha256(data).hexdigest()
        files = {"tensor_dev.ipynb": data, "submission.json": json.dumps(about)}
        said = canvas.ok("collect", str(zipped(tmp_path / f"jdoe_{day}.zip", files)))
        assert ("came after the due date, and replaces what was there" in said) == (day == 28)


def test_what_the_lms_calls_late_is_said_by_each_grading(canvas: Living, tmp_path: Path) -> None:
    name = "doejane_LATE_3145_207_tensor_dev.ipynb"
    path = zipped(tmp_path / "submissions.zip", {name: canvas.released.read_bytes()})
    canvas.ok("collect", str(path))
    for _ in range(2):
        canvas.ok("grade")
        note = grades(canvas)["jdoe"]["note"]
        assert "timestamp.txt (late, says the LMS) is not written as in 2027-01-25 23:59:00" in note


def test_a_time_that_a_person_wrote_down_counts_for_the_best_attempt(
    canvas: Living, tmp_path: Path
) -> None:
    settings = canvas.root / "course.toml"
    canvas.edit(settings, 'attempt = "last"', 'attempt = "best"')
    canvas.edit(settings, "percent_per_day = 0", "percent_per_day = 10")
    for number, most in ((1, 99), (2, 0)):
        work = nbformat.writes(canvas.solved(lambda n, most=most: n < most)).encode()
        files = {f"doejane_3145_20{number}_tensor_dev-{number}.ipynb": work}
        canvas.ok("collect", str(zipped(tmp_path / f"{number}.zip", files)))
        stamp = canvas.root / "submitted" / "jdoe" / MODULE / "timestamp.txt"
        if number == 1:
            stamp.write_text("2027-01-26 12:00:00 UTC\n", encoding="utf-8")
    for _ in range(2):
        canvas.ok("grade")
        assert float(grades(canvas)["jdoe"]["total"]) == 72


def test_gradescope_says_when(canvas: Living, tmp_path: Path) -> None:
    nb = canvas.notebook.read_bytes()
    metadata = """
submission_1:
  :submitters:
  - :name: Zoë O'Brien
    :sid: u99
    :email: nobody@example.edu
  :created_at: 2027-01-25 23:30:00.5 -08:00
"""
    files = {
        "export/submission_metadata.yml": metadata.encode(),
        "export/submission_1/tensor_dev.ipynb": nb,
    }
    canvas.ok("collect", str(zipped(tmp_path / "gradescope.zip", files)))
    there = submitted(canvas)
    assert there[f"zobrien/{MODULE}/timestamp.txt"] == b"2027-01-26 07:30:00 UTC\n"
    older = metadata.replace("2027-01-25", "2027-01-24")
    files = {
        "export/submission_metadata.yml": older.encode(),
        "export/submission_1/tensor_dev.ipynb": nb + b" ",
    }
    said = canvas.ok("collect", str(zipped(tmp_path / "older.zip", files)))
    assert "is older than what is there" in said and submitted(canvas) == there


def test_gradescope_credits_all_who_handed_in_together(canvas: Living, tmp_path: Path) -> None:
    metadata = """
submission_1:
  :submitters:
  - :name: Zoë O'Brien
    :sid: u99
  - :name: nobody
    :email: jdoe
  - :name: a guest
"""
    files = {
        "export/submission_metadata.yml": metadata.encode(),
        "export/submission_1/tensor_dev.ipynb": canvas.notebook.read_bytes(),
    }
    done = canvas.call("collect", str(zipped(tmp_path / "gradescope.zip", files)))
    assert {path.split("/")[0] for path in submitted(canvas)} == {"zobrien", "jdoe"}
    assert done.returncode and "nobody in roster.csv is called a guest" in done.stdout


def test_another_attempt_counts_by_hand_until_a_new_one_comes(
    canvas: Living, tmp_path: Path
) -> None:
    nb = canvas.notebook.read_bytes()

    def hand_in(number: int) -> str:
        files = {f"doejane_3145_{number}_tensor_dev-{number}.ipynb": nb + b" " * number}
        return canvas.ok("collect", str(zipped(tmp_path / f"{number}.zip", files)))

    def counts() -> int:
        return len(submitted(canvas)[f"jdoe/{MODULE}/tensor_dev.ipynb"]) - len(nb)

    hand_in(0)
    hand_in(1)
    lines = canvas.ok("collect", "--attempts", "jdoe").splitlines()
    assert [line.endswith("(counts)") for line in lines] == [False, True]
    assert lines[0].startswith(f"{MODULE} 1: no time, doejane_3145_0")
    assert "attempt 1 counts" in canvas.ok("collect", "--attempt", "jdoe", "1", "1")
    assert counts() == 0
    assert "another one counts" in hand_in(1) and counts() == 0, "the same download changes nothing"
    by_hand = canvas.root / "submitted" / "jdoe" / MODULE
    (by_hand / "timestamp.txt").write_text("2027-01-25 20:00:00 UTC\n", encoding="utf-8")
    assert "attempt 2 counts" in canvas.ok("collect", "--attempt", "jdoe", "1", "2")
    assert counts() == 1 and not (by_hand / "timestamp.txt").exists()
    lines = canvas.ok("collect", "--attempts", "jdoe").splitlines()
    assert f"{MODULE} 2: 2027-01-25 20:00 UTC, was in submitted/" in lines, "nothing is lost"
    assert "1 newer" in hand_in(2) and counts() == 2
    for wrong in ("0", "9", "x"):
        assert "--attempts jdoe" in canvas.refused("collect", "--attempt", "jdoe", "1", wrong)
    assert "no attempt of ada" in canvas.refused("collect", "--attempts", "ada")


def test_the_best_attempt_counts_where_the_course_says_so(course: Living, tmp_path: Path) -> None:
    settings = course.root / "course.toml"
    course.edit(settings, 'attempt = "last"', 'attempt = "most"')
    assert "[schedule] attempt is 'most'" in course.refused("grade")
    course.edit(settings, 'attempt = "most"', 'attempt = "best"')
    # The third is the best, but late; the last is untouched.
    for day, exercises in ((20, 3), (24, 9), (27, 99), (28, 0)):
        nb = nbformat.writes(course.solved(lambda n, most=exercises: n < most)).encode()
        about = {"id": "ada", "name": "Ada", "module": MODULE, "time": f"2027-01-{day}T12:00+00:00"}
        about["sha256"] = hashlib.sha256(nb).hexdigest()
        files = {"tensor_dev.ipynb": nb, "submission.json": json.dumps(about)}
        course.ok("collect", str(zipped(tmp_path / f"ada_{day}.zip", files)))
    course.hand_in("bob", course.solved(lambda n: n < 3))
    assert "attempt 3 counts, 2027-01-27" in course.ok("grade")
    best = {name: float(row["total"]) for name, row in grades(course).items()}
    assert best["ada"] == 80 and best["bob"] > 0
    assert "attempt" not in course.ok("grade"), "said once"
    course.edit(settings, "percent_per_day = 0", "percent_per_day = 45")
    said = course.ok("grade")
    assert "attempt 2 counts, 2027-01-24" in said and "points by tests (others: " in said
    assert best["bob"] < float(grades(course)["ada"]["total"]) < 80
    extension = f'[[extension]]\nstudent = "ada"\nmodule = "{MODULE}"\nuntil = 2027-01-27\n\n'
    course.edit(settings, "[grading]", extension + "[grading]")
    assert "attempt 3 counts" in course.ok("grade")
    assert float(grades(course)["ada"]["total"]) == 80
    kept = list((course.root / "downloaded" / MODULE / "ada").rglob("*.ipynb"))
    assert len(kept) == 4, "nothing is lost, nothing kept twice"
    course.edit(settings, 'attempt = "best"', 'attempt = "last"')
    assert "attempt 4 counts" in course.ok("grade"), "as if it had been so all the time"
    course.ok("collect", "--attempt", "ada", "1", "2")
    assert "attempt" not in course.ok("grade"), "and then a person may choose"
    assert float(grades(course)["ada"]["total"]) < 80


def test_clones_count_by_the_last_commit_of_the_notebook(canvas: Living, tmp_path: Path) -> None:
    clone = tmp_path / "clones" / "tensor-jdoe"
    (clone / MODULE).mkdir(parents=True)
    git = ["git", "-C", str(clone), "-c", "user.name=J", "-c", "user.email=j@example.edu"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    for name, day in (("tensor_dev.ipynb", 20), ("README.md", 30)):
        (clone / MODULE / name).write_bytes(canvas.notebook.read_bytes())
        subprocess.run([*git, "add", "."], check=True)
        date = {"GIT_AUTHOR_DATE": f"2027-01-{day}T12:00:00Z"}
        date["GIT_COMMITTER_DATE"] = date["GIT_AUTHOR_DATE"]
        subprocess.run(
            [*git, "commit", "-qm", name], check=True, env={"PATH": "/usr/bin:/bin", **date}
        )
    (clone / MODULE / "tensor_dev.ipynb").write_text("saved by who looked at it", encoding="utf-8")
    canvas.ok("collect", str(tmp_path / "clones"))
    there = submitted(canvas)
    assert there[f"jdoe/{MODULE}/timestamp.txt"] == b"2027-01-20 12:00:00 UTC\n"
    assert there[f"jdoe/{MODULE}/tensor_dev.ipynb"] == canvas.notebook.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say what to take in"),
        (["nowhere.zip"], "nowhere.zip is not there"),
        (["course.toml"], "course.toml is no zip and no folder"),
        (["--roster", "course.toml"], "no students found"),
        ([".devcontainer"], "No notebook, script or zip of one was found"),
    ],
)
def test_what_is_no_download_is_one_line(canvas: Living, arguments: list, words: str) -> None:
    paths = [str(canvas.root / a) if not a.startswith("--") else a for a in arguments]
    done = canvas.call("collect", *paths)
    assert done.returncode == 1 and words in done.stdout + done.stderr
    assert not (canvas.root / "submitted").exists()


def test_without_a_roster_it_says_how_to_make_one(course: Living, tmp_path: Path) -> None:
    done = course.call("collect", str(zipped(tmp_path / "a.zip", {"a_1_2_tensor_dev.ipynb": b""})))
    assert done.returncode == 1 and "nox -s collect -- --roster FILE" in done.stderr


def test_what_is_collected_is_graded(canvas: Living, tmp_path: Path) -> None:
    nb = canvas.released.read_bytes()
    canvas.ok("collect", str(zipped(tmp_path / "s.zip", {"x_3145_1_tensor_dev-1.ipynb": nb})))
    assert "has no id" not in canvas.ok("grade")
    canvas.hand_in("JDoe", canvas.solved())
    assert "roster.csv has no id JDoe\n" in canvas.ok("grade"), "as the LMS knows jdoe alone"
    assert {"jdoe", "JDoe"} == {*grades(canvas)}


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_marks_and_feedback_go_back_to_canvas(canvas: Living, tmp_path: Path) -> None:
    """Under Canvas's own columns and names; what waits for a person stays empty."""
    untouched, solved = canvas.released.read_bytes(), tmp_path / "solved.ipynb"
    nbformat.write(canvas.solved(), solved)
    files = {
        "obrienzoë_3143_501_tensor_dev-3.ipynb": solved.read_bytes(),
        "doejane_LATE_3145_502_tensor_dev.ipynb": untouched,
    }
    canvas.ok("collect", str(zipped(tmp_path / "s.zip", files)))
    canvas.ok("grade")
    head, most, *rows = rows_of(canvas.root / "grades" / "canvas.csv")
    about = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert head == [*about, "Tensor (101)"]
    assert most == ["    Points Possible", "", "", "", "", "100"]
    assert {row[1]: row[5] for row in rows} == {
        "3143": "",  # four answers wait
        "3144": "",
        "3145": "0",
        "3146": "",
        "9999": "",
    }
    with zipfile.ZipFile(canvas.root / "feedback" / f"{MODULE}-canvas.zip") as archive:
        assert archive.namelist() == [
            "doejane_LATE_3145_502_feedback.html",
            "obrienzoë_3143_501_feedback.html",
        ]
        page = archive.read("obrienzoë_3143_501_feedback.html")
    assert page == (canvas.root / f"feedback/zobrien/{MODULE}/tensor_dev.html").read_bytes()
    head, *rows = rows_of(canvas.root / "grades" / "exercises.csv")
    by_id = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    first = f"{MODULE}: Exercise 1: A Tensor owns its numbers"
    assert (by_id["zobrien"][first], by_id["jdoe"][first], by_id["wang"][first]) == (
        "8",
        "0",
        "",
    )
    head, *rows = rows_of(canvas.root / "grades" / "moodle.csv")
    assert head == ["ID number", "Email address", MODULE]
    assert [row for row in rows if row[2]] == [["jdoe", "", "0"]]


def test_feedback_goes_back_to_moodle_under_its_folders(course: Living, tmp_path: Path) -> None:
    export = tmp_path / "participants.csv"
    export.write_text(MOODLE_PARTICIPANTS, encoding="utf-8")
    course.ok("collect", "--roster", str(export))
    name = "Zoë O'Brien_101_assignsubmission_file_"
    files = {f"{name}/tensor_dev.ipynb": course.released.read_bytes()}
    course.ok("collect", str(zipped(tmp_path / "moodle.zip", files)))
    assert f"feedback/{MODULE}-moodle.zip" in course.ok("grade")
    with zipfile.ZipFile(course.root / "feedback" / f"{MODULE}-moodle.zip") as archive:
        assert archive.namelist() == [f"{name}/feedback.html"]
    assert not (course.root / "grades" / "canvas.csv").exists()


def test_an_assignment_is_what_repositories_have_in_common(canvas: Living, tmp_path: Path) -> None:
    """GitHub Classroom's ASSIGNMENT-LOGIN, where kim-jdoe is in no roster, and jdoe is."""
    for name in ("hw-1-kim-jdoe", "hw-1-wang"):
        shutil.copytree(canvas.released.parent, tmp_path / "clones" / name)
    done = canvas.call("collect", str(tmp_path / "clones"))
    assert done.returncode == 1 and "nobody in roster.csv is called hw-1-kim-jdoe" in done.stdout
    assert {path.split("/")[0] for path in submitted(canvas)} == {"wang"}


def test_settings_in_a_students_clone_run_nothing(canvas: Living, tmp_path: Path) -> None:
    clone = tmp_path / "clones" / "jdoe"
    clone.mkdir(parents=True)
    ran, program = tmp_path / "ran", tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    program.chmod(0o755)
    (clone / "tensor_dev.ipynb").write_bytes(canvas.released.read_bytes())
    git = ["git", "-C", str(clone), "-c", "user.name=J", "-c", "user.email=j@example.edu"]
    date = "2027-01-20T12:00:00Z"
    dates = {"PATH": "/usr/bin:/bin", "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "work"]):
        subprocess.run([*git, *command], check=True, env=dates)
    commit = subprocess.run([*git, "cat-file", "commit", "HEAD"], capture_output=True, check=True)
    signed = commit.stdout.replace(b"\n\n", b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n\n", 1)
    new = subprocess.run([*git, "hash-object", "-t", "commit", "-w", "--stdin"], input=signed,
                         capture_output=True, check=True).stdout.decode().strip()  # fmt: skip
    branch = subprocess.run([*git, "symbolic-ref", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run([*git, "update-ref", branch.decode().strip(), new], check=True)
    for name, value in (
        ("log.showSignature", "true"),
        ("gpg.program", str(program)),
        ("core.fsmonitor", str(program)),
        ("core.pager", str(program)),
    ):
        subprocess.run([*git, "config", name, value], check=True)
    subprocess.run([*git, "log", "-1"], capture_output=True, check=False)
    assert ran.exists(), "git itself would run it"
    ran.unlink()
    canvas.ok("collect", str(tmp_path / "clones"))
    assert not ran.exists()
    assert submitted(canvas)[f"jdoe/{MODULE}/timestamp.txt"] == b"2027-01-20 12:00:00 UTC\n"


def test_one_file_spoils_nobodys_work(canvas: Living, tmp_path: Path) -> None:
    nb, odd = canvas.released.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(odd, "w") as archive:
        archive.writestr("submission.json", "[" * 100_000)
        archive.writestr("tensor_dev.ipynb", nb)
    named = {"id": "wang", "time": "2027-01-20T12:00+00:00", "sha256": ""}
    long = io.BytesIO()
    with zipfile.ZipFile(long, "w") as archive:
        archive.writestr("submission.json", json.dumps(named))
        archive.writestr("tensor_dev." + "a" * 300, nb)
    newer = bytearray(odd.getvalue())
    for sign in (b"PK\x01\x02", b"PK\x03\x04"):  # made for a zip of version 9.9
        at = newer.find(sign) + (6 if sign[2] == 1 else 4)
        newer[at] = 99
    files = {
        "wangxm_3144_1_submission_metadata.yml": "x: [1",
        "wangxm_3144_2_tensor_dev.zip": odd.getvalue(),
        "wangxm_3144_3_tensor_dev.zip": bytes(newer),
        "wangxm_3144_4_tensor_dev.zip": long.getvalue(),
        "wangxm_3144_5_" + "_" * 30_000 + ".ipynb": nb,
        "doejane_3145_6_tensor_dev.ipynb": nb,
    }
    said = canvas.call("collect", str(zipped(tmp_path / "s.zip", files))).stdout
    assert submitted(canvas)[f"jdoe/{MODULE}/tensor_dev.ipynb"] == nb
    assert "wangxm_3144_1_submission_metadata.yml: this is no notebook" in said
    assert said.count("Not taken: ") >= 2


def test_what_is_outside_says_whose_it_is(canvas: Living, tmp_path: Path) -> None:
    """A folder was named by whoever collected; what lies in it, by the student."""
    mine, packed = canvas.released.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        about = {"id": "wang", "time": "2027-01-20T12:00+00:00"}
        about["sha256"] = hashlib.sha256(mine).hexdigest()
        archive.writestr("submission.json", json.dumps(about))
        archive.writestr("tensor_dev.ipynb", mine)
    folder = tmp_path / "by hand"
    for name, data in {
        "hw-jdoe/wang/tensor_dev.ipynb": mine,
        "jdoe2/x_3144_1_tensor_dev.ipynb": mine,
        "zobrien/hand-in.zip": packed.getvalue(),
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(data)
    said = canvas.ok("collect", str(folder))
    assert {path.partition("/")[0] for path in submitted(canvas)} == {"jdoe", "jdoe2", "zobrien"}
    assert "is taken as zobrien's; submission.json in it says wang's" in said


def test_a_namesake_who_is_in_no_roster_is_nobody(canvas: Living, tmp_path: Path) -> None:
    files = {"wangxiaoming_4000_1_tensor_dev.ipynb": canvas.released.read_bytes(),
             "王小明_4001_1_tensor_dev.ipynb": canvas.released.read_bytes()}  # fmt: skip
    said = canvas.call("collect", str(zipped(tmp_path / "s.zip", files))).stdout
    assert not (canvas.root / "submitted").exists()
    assert "nobody in roster.csv is called lms id 4001 or 王小明" in said


def test_what_the_lms_calls_late_is_not_in_time_by_the_students_clock(
    canvas: Living, tmp_path: Path
) -> None:
    for day, seen in ((20, b"late, says the LMS\n"), (27, b"2027-01-27 12:00:00 UTC\n")):
        packed = io.BytesIO()
        about = {"id": "jdoe", "time": f"2027-01-{day}T12:00+00:00", "sha256": "0"}
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("submission.json", json.dumps(about))
            archive.writestr("tensor_dev.ipynb", canvas.released.read_bytes() + b" " * day)
        files = {f"doejane_LATE_3145_{day}_tensor_dev.zip": packed.getvalue()}
        said = canvas.ok("collect", str(zipped(tmp_path / f"{day}.zip", files)))
        told = "late, says the LMS; submission.json says 2027-01-20 12:00 UTC"
        assert (told in said) == (day == 20)
        stamp = canvas.root / "submitted" / "jdoe" / MODULE / "timestamp.txt"
        assert stamp.read_bytes() == seen


def test_a_canvas_export_saved_by_a_spreadsheet_takes_marks(course: Living, tmp_path: Path) -> None:
    export = tmp_path / "grades.csv"
    rows = csv.reader(io.StringIO(CANVAS_GRADEBOOK.lstrip("\ufeff").replace("王, 小明", "Wang, X")))
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r").writerows(rows)
    sums = text.getvalue().replace("Doe, Jane", "Doe (Points Possible), Jane", 1)
    export.write_bytes(sums.encode("cp1252"))
    course.ok("collect", "--roster", str(export))
    course.hand_in("jdoe", course.solved(lambda n: n < 3))
    course.ok("grade")
    table = list(csv.DictReader((course.root / "grades/canvas.csv").open(encoding="utf-8")))
    marks = {row["SIS Login ID"]: row["Tensor (101)"] for row in table}
    assert marks[""] == "100" and set(marks) >= {"zobrien", "jdoe", "jdoe2"}
    assert 0 < float(marks["jdoe"]) < 100, "hers, not all that is possible"


def test_a_login_that_is_anothers_number_in_the_lms_is_two_people(
    course: Living, tmp_path: Path
) -> None:
    roster = 'id,name,email,lms_id,section\n1003,"Ana, A",,1001,\n2002,"Ben, B",,1003,\n'
    (course.root / "roster.csv").write_text(roster, encoding="utf-8")
    nb = course.released.read_bytes()
    files = {"benb_1003_1_tensor_dev.ipynb": nb, "anaa_1001_2_tensor_dev.ipynb": nb + b"\n"}
    course.ok("collect", str(zipped(tmp_path / "s.zip", files)))
    there = submitted(course)
    assert there[f"2002/{MODULE}/tensor_dev.ipynb"] == nb
    assert there[f"1003/{MODULE}/tensor_dev.ipynb"] == nb + b"\n"
