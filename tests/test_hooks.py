"""Answers and hooks: each rule by itself, then as Cookiecutter runs them."""

import ast
import datetime as dt
import json
import keyword
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath

import post_gen_project as post
import pytest
from delimiters import ROOT
from hypothesis import given
from hypothesis import strategies as st

from hooks import answers as pre

GOOD = {name: example for name, (_, example) in pre.RULES.items()}
BAD = [
    ("course_title", "", "is empty"),
    ("course_title", " \u00a0", "is empty"),
    ("course_title", "x" * 121, "121 characters"),
    ("course_title", "Deep\nLearning", "line break"),
    ("course_title", "Deep\u2028Learning", "line break"),
    ("course_title", "Deep\x07Learning", "control character"),
    *(("course_title", f"Deep {mark} Learning", mark) for mark in pre.DELIMITERS),
    ("course_slug", "", "must hold only"),
    ("course_slug", ".", "must hold only"),
    ("course_slug", "..", "holds '..'"),
    ("course_slug", "a..b", "holds '..'"),
    ("course_slug", "../up", "must hold only"),
    ("course_slug", "a/b", "must hold only"),
    ("course_slug", "a\\b", "must hold only"),
    ("course_slug", "/tmp", "must hold only"),
    ("course_slug", "deep learning", "must hold only"),
    ("course_slug", "Deep", "must hold only"),
    ("course_slug", "-deep", "must hold only"),
    ("course_slug", "deep.", "must hold only"),
    ("course_slug", "deep-", "must hold only"),
    ("course_slug", "réseaux", "must hold only"),
    ("course_slug", "deep\n", "must hold only"),
    ("course_slug", "con", "device"),
    ("course_slug", "lpt1.old", "device"),
    ("course_slug", "d" * 65, "65 characters"),
    ("package_name", "", "must hold only"),
    ("package_name", "tiny-torch", "must hold only"),
    ("package_name", "TinyTorch", "must hold only"),
    ("package_name", "2torch", "must hold only"),
    ("package_name", "_", "must hold only"),
    ("package_name", "réseau", "must hold only"),
    ("package_name", "torch.nn", "must hold only"),
    ("package_name", "lambda", "word of the Python language"),
    ("package_name", "match", "word of the Python language"),
    ("package_name", "random", "standard library"),
    ("package_name", "compression", "standard library"),
    ("package_name", "numpy", "is taken"),
    ("package_name", "NumPy", "is taken"),
    ("package_name", "ipython", "is taken"),
    ("package_name", "modules", "is taken"),
    ("package_name", "coursekit", "is taken"),
    ("package_name", "t" * 65, "65 characters"),
    ("term", "", "is empty"),
    ("instructor_name", " ", "is empty"),
    ("instructor_name", "Ada\tLovelace", "control character"),
    ("instructor_email", "", "not an e-mail address"),
    ("instructor_email", "ada", "not an e-mail address"),
    ("instructor_email", "ada@localhost", "not an e-mail address"),
    ("instructor_email", "Ada <ada@example.edu>", "not an e-mail address"),
    ("instructor_email", "ada@example.edu, bob@example.edu", "not an e-mail address"),
    ("institution", "x" * 121, "121 characters"),
    ("institution", "A <% B", "<%"),
    ("institution", None, "quotes"),
    ("first_day", "", "not a date"),
    ("first_day", "tomorrow", "not a date"),
    ("first_day", "2027-02-30", "not a date"),
    ("first_day", "11.01.2027", "not a date"),
    ("first_day", "20270111", "not a date"),
    ("first_day", "2027-W02-1", "not a date"),
    ("first_day", "2027-01-11T09:00", "not a date"),
    ("first_day", False, "quotes"),
]
FINE = [
    ("course_title", 'Réseaux & "Deep" <Learning>'),
    ("course_title", "It's \\ {{ odd }} {% but %} `fine` \"\"\" ''' 👩\u200d🏫"),
    ("course_title", "x" * 120),
    ("course_slug", "x"),
    ("course_slug", "cs-101.spring_2027"),
    ("course_slug", "console"),
    ("course_slug", "d" * 64),
    ("package_name", "tinytorch"),
    ("package_name", "nn_2"),
    ("instructor_name", "Conor O'Neill-Müller"),
    ("instructor_email", "ada.o'neill+dl@cs.example.co.uk"),
    ("institution", ""),
    ("first_day", "2028-02-29"),
]


def test_hook_is_python_before_rendering():
    text = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    ast.parse(text)
    assert [text.count("<" + mark) for mark in "<%#"] == [3, 0, 0]


def test_examples_are_good_answers():
    assert pre.refusals(GOOD) == []


@pytest.mark.parametrize(("name", "value"), FINE)
def test_unusual_answers_are_accepted(name, value):
    assert pre.faults(name, value) == []


@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_refusal_names_answer_reason_and_example(name, value, reason):
    refused = pre.refusals(GOOD | {name: value})
    assert any(reason in line for line in refused)
    for line in refused:
        assert line.strip().startswith(f"{name}: {value!r}")
        assert line.replace('"', "").endswith(f"for example: {GOOD[name]}")


def test_names_in_use_are_refused():
    in_use = pre.TAKEN | pre.STDLIB | {*keyword.kwlist, *keyword.softkwlist}
    assert [name for name in in_use if not pre.faults("package_name", name)] == []


@given(st.text(max_size=8) | st.from_regex(pre.SLUG, fullmatch=True))
def test_accepted_slug_is_one_plain_folder(slug):
    if not pre.faults("course_slug", slug):
        assert PurePosixPath("out", slug).name == PureWindowsPath("out", slug).name == slug
        assert PurePosixPath(slug).parts == (slug,)
        assert slug.isascii() and slug == slug.lower() and 0 < len(slug) <= 64


@given(st.text(max_size=8) | st.from_regex(pre.PACKAGE, fullmatch=True))
def test_accepted_package_can_be_imported(name):
    if not pre.faults("package_name", name):
        ast.parse(f"from {name}.tensor import {name}\n{name}: int = 1")
        assert name.isascii() and name.islower() and name not in sys.stdlib_module_names


@given(st.dates(dt.date(1970, 1, 1), dt.date(8999, 12, 31)))
def test_every_day_is_accepted_as_iso_only(day):
    assert pre.faults("first_day", day.isoformat()) == []
    assert pre.faults("first_day", day.strftime("%d/%m/%Y"))


def test_a_year_that_course_toml_may_not_say_is_refused():
    for day in ("0001-01-01", "1969-12-31", "9000-01-01"):
        assert "1970 to 8999" in str(pre.faults("first_day", day))


def answered(cookiecutter, folder: Path, way: str, answers: dict[str, str]):
    """Run Cookiecutter with answers given in one of the ways it has, in a file as YAML text."""
    file = folder.parent / "answers"
    if way == "file":
        lines = [f"  {name}: {value}\n" for name, value in answers.items()]
        file.write_text("default_context:\n" + "".join(lines), encoding="utf-8")
        return cookiecutter(folder, "--no-input", "--config-file", str(file))
    if way == "replay":
        file.with_suffix(".json").write_text(json.dumps({"cookiecutter": answers}), "utf-8")
        return cookiecutter(folder, "--replay-file", str(file.with_suffix(".json")))
    if way == "prompt":
        return cookiecutter(folder, input="".join(answers.get(n, "") + "\n" for n in pre.RULES))
    return cookiecutter(folder, "--no-input", *(f"{n}={answers[n]}" for n in answers))


NO_TEXT = "not as text: put quotes round it"
NO_QUESTION = "no question has this name"


@pytest.mark.parametrize(
    ("way", "name", "value", "said"),
    [
        ("prompt", "course_title", "Shift << 8 >> 8", "holds << and >>"),
        ("prompt", "course_slug", "a/b", "must hold only"),
        ("prompt", "package_name", "numpy", "is taken"),
        ("prompt", "first_day", "tomorrow", "is not a date"),
        ("prompt", "last_module", "3", "is not offered: type 01_tensor, 02_"),
        ("prompt", "license", "GPL", "is not offered: type MIT, BSD-3-Clause"),
        ("file", "first_day", "2027-09-06", f"2027-09-06 is read as date, {NO_TEXT}"),
        ("file", "term", "2027", f"2027 is read as int, {NO_TEXT}"),
        ("file", "institution", "", f"None is read as NoneType, {NO_TEXT}"),
        ("file", "course_slug", "a/b", "must hold only"),
        ("file", "last_module", "09_transformers", "is not offered: type 01_tensor, 02_"),
        ("file", "license", "GPL", "is not offered: type MIT, BSD-3-Clause"),
        ("file", "first_dya", '"2027-09-06"', f"{NO_QUESTION}; for example: first_day"),
        ("key=value", "course_title", "", "is empty"),
        ("key=value", "course_title", "Deep\nLearning", "line break"),
        ("key=value", "course_title", "Shift << 8 >> 8", "holds << and >>"),
        ("key=value", "course_slug", "con", "is a device"),
        ("key=value", "package_name", "class", "word of the Python language"),
        ("key=value", "instructor_email", "ada", "is not an e-mail address"),
        ("key=value", "first_day", "2027-02-30", "is not a date"),
        ("key=value", "last_module", "03", "is not offered: type 01_tensor, 02_"),
        ("key=value", "license", "GPL", "is not offered: type MIT, BSD-3-Clause"),
        ("key=value", "lisence", "MIT", f"{NO_QUESTION}; for example: license"),
        ("key=value", "colour", "red", f"{NO_QUESTION}; for example: "),
        ("replay", "last_module", "09_transformers", "is not offered: type 01_tensor, 02_"),
        ("replay", "first_day", "2027-02-30", "is not a date"),
    ],
)
def test_a_wrong_answer_is_refused_in_one_line(cookiecutter, tmp_path, way, name, value, said):
    out = tmp_path / "out"
    out.mkdir()
    result = answered(cookiecutter, out, way, {name: value})
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if "for example: " in line]
    assert line.startswith(f"  {name}: ") and said in line
    assert "Traceback" not in result.stderr
    assert list(out.iterdir()) == []


BAD_ONES = {"package_name": "numpy", "first_day": "soon", "last_module": "three", "license": "GPL"}


@pytest.mark.parametrize(
    "way",
    ["prompt", *(pytest.param(w, marks=pytest.mark.slow) for w in ("file", "key=value", "replay"))],
)
def test_all_are_refused_at_once_and_only_they_are_asked_again(cookiecutter, tmp_path, way):
    """The command that the refusal ends with has all other answers as its defaults."""
    out = tmp_path / "out"
    out.mkdir()
    title = "Réseaux: & 'Deep' 👩\u200d🏫"
    written = "\"Réseaux: & 'Deep' 👩\u200d🏫\"" if way == "file" else title
    result = answered(cookiecutter, out, way, BAD_ONES | {"course_title": written})
    assert all(f"  {name}: {value!r} " in result.stderr for name, value in BAD_ONES.items())
    command = shlex.split(result.stderr.strip().splitlines()[-1])
    options = command[command.index("--config-file") : -1]
    good = {name: GOOD[name] for name in BAD_ONES}
    answers = "".join(good.get(name, "") + "\n" for name in pre.RULES)
    again = cookiecutter(out, *options, input=answers)
    assert again.returncode == 0, again.stderr
    settings = tomllib.loads(next(out.glob("*/course.toml")).read_text(encoding="utf-8"))
    assert settings["course"]["title"] == title
    assert settings["course"]["package"] == "minitorch"


def test_answers_outside_the_default_context_are_refused(cookiecutter, tmp_path):
    (tmp_path / "answers.yml").write_text("license: MIT\n", encoding="utf-8")
    result = cookiecutter(tmp_path, "--no-input", "--config-file", "answers.yml")
    assert result.returncode == 1
    assert "  license: stands outside default_context; indent it below that line\n" in result.stderr


def test_refused_answers_leave_an_older_course_alone(cookiecutter, tmp_path):
    older = tmp_path / "deep" / "course.toml"
    older.parent.mkdir()
    older.write_text("# mine\n", encoding="utf-8")
    for options in ([], ["--overwrite-if-exists"]):
        answers = ["course_slug=deep", "package_name=numpy"]
        result = cookiecutter(tmp_path, "--no-input", *options, *answers)
        assert result.returncode == 1
        assert older.read_text(encoding="utf-8") == "# mine\n"


@pytest.mark.parametrize(("name", "kept"), [("MIT", True), ("Proprietary", False)])
def test_prune_removes_what_the_license_leaves_out(tmp_path, name, kept):
    (tmp_path / "LICENSE").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "modules").mkdir()
    post.prune(tmp_path, name, "01_tensor")
    assert (tmp_path / "README.md").exists()
    assert (tmp_path / "LICENSE").exists() == kept


def test_prune_removes_the_modules_after_the_last(tmp_path):
    for name in ("01_tensor", "02_activations", "03_layers"):
        (tmp_path / "modules" / name).mkdir(parents=True)
        (tmp_path / "modules" / name / "README.md").touch()
    post.prune(tmp_path, "MIT", "02_activations")
    left = sorted(path.name for path in (tmp_path / "modules").iterdir())
    assert left == ["01_tensor", "02_activations"]


@pytest.mark.parametrize(
    ("start", "path"),
    [
        ("/home/ada", "deep"),
        ("/home", "ada/deep"),
        ("/home/ada/deep", "."),
        ("/srv", "/home/ada/deep"),
        ("", "/home/ada/deep"),
        (None, "/home/ada/deep"),
    ],
)
def test_path_is_said_from_where_the_user_stands(start, path):
    assert post.path_from(start, Path("/home/ada/deep")) == Path(path)


def test_commands_are_quoted():
    command, *_ = post.next_commands(Path("/home/ada/It's mine/deep"))
    assert shlex.split(command) == ["cd", "/home/ada/It's mine/deep"]


@pytest.mark.skipif(os.name == "nt", reason="the printed commands are for a POSIX shell")
@pytest.mark.parametrize("output", [".", "inside/It's here", "../beside it"])
def test_printed_commands_lead_into_the_course(cookiecutter, tmp_path, output):
    stand = tmp_path / "where I stand"
    stand.mkdir()
    result = cookiecutter(stand, "--no-input", "--output-dir", output, "course_slug=deep")
    commands = [line.strip() for line in result.stdout.splitlines() if line.startswith("    ")]
    assert commands[1:] == [
        'git init && git add . && git commit -m "Start the course"',
        "python3 noxfile.py -s build  # after a look at course.toml: the time zone is UTC",
        "python3 noxfile.py -s grade -- --demo",
    ]
    arrived = subprocess.run(
        ["sh", "-c", f"{commands[0]} && pwd -P"], cwd=stand, capture_output=True, encoding="utf-8"
    )
    assert Path(arrived.stdout.strip()) == (stand / output / "deep").resolve()


def test_printed_path_is_short_where_it_can_be(cookiecutter, tmp_path):
    result = cookiecutter(tmp_path, "--no-input", "course_slug=deep")
    assert "    cd deep\n" in result.stdout
