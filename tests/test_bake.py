"""What comes out of Cookiecutter: the right files, clean, with every answer unharmed."""

import ast
import html
import json
import re
import subprocess
import sys
import tomllib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import post_gen_project as post
import pytest
import yaml
from cookiecutter.prompt import render_variable
from cookiecutter.utils import create_env_with_context
from coursekit.execution import bound
from delimiters import ROOT, TEMPLATE, is_binary, tracked_files
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hooks import answers as pre

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
DEFAULTS = {
    name: value
    for name, value in QUESTIONS.items()
    if isinstance(value, str) and not name.startswith("_")
}
OTHERS = {
    "course_title": "Neural Networks by Hand",
    "course_slug": "nn-by-hand",
    "package_name": "petitorch",
    "term": "Autumn 2031",
    "instructor_name": "Grace Hopper",
    "instructor_email": "grace@yard.example",
    "institution": "Yard School",
    "first_day": "2031-09-01",
    "last_module": "02_activations",
    "license": "BSD-3-Clause",
}
ANSWERS = {
    "defaults": {},
    "others": OTHERS,
    "proprietary": {"license": "Proprietary", "institution": ""},
    "markup": {"course_title": 'Réseaux & "Deep" <Learning>', "institution": "A & B <C>"},
    "apostrophe": {"course_title": "Ada's Course", "instructor_name": "Conor O'Neill"},
    "backslash": {"course_title": "To \\nabla and back\\", "term": "\\"},
    "quotes": {"course_title": "\"\"\" or '''", "instructor_name": '"Ada"', "term": '"'},
    "yaml": {"course_title": "- yes: [no] # {not}", "term": "2027", "institution": "null"},
    "jinja": {"course_title": "{{ x }} {% y %} {# z #} ${{ secrets.A }}"},
    "markdown": {"course_title": "# *A* _b_ `c` [d](e) ![f] $g$ ~~h~~ | <i>", "term": "1. &amp;"},
    "scripts": {"course_title": "機械学習 и сети 👩\u200d🏫", "instructor_name": "Łukasz Größe"},
    "long": {"course_title": ("Deep " * 24).strip().ljust(120, "!"), "package_name": "t" * 64},
}
LEFTOVER = re.compile(r"<<[-+]?\s*cookiecutter\b|<%[-+]?\s*(?:end)?(?:if|elif|else|for|raw)\b")
# Names of projects and places that hold the default package's name and are meant.
MEANT = re.compile(r"cookiecutter-tinytorch|\S*mlsysbook\S*", re.IGNORECASE)


@dataclass(frozen=True)
class Baked:
    """A course and the answers it was baked from."""

    course: Path
    answers: dict[str, str]

    def texts(self, *suffixes: str) -> dict[Path, str]:
        """Return the text files, or those with these suffixes, by their path in the course."""
        data = {path: path.read_bytes() for path in self.course.rglob("*") if path.is_file()}
        return {
            path.relative_to(self.course): content.decode("utf-8")
            for path, content in data.items()
            if not is_binary(content) and (not suffixes or path.suffix in suffixes)
        }


ALIKE = "apostrophe", "backslash", "yaml", "scripts"  # quoting is also tried on any title, below
SETS = [pytest.param(a, marks=pytest.mark.slow) if a in ALIKE else a for a in ANSWERS]


@pytest.fixture(scope="module", params=SETS)
def baked(request, bake) -> Baked:
    """Bake a course from each set of answers in turn, all modules only where it is about them."""
    answers = ANSWERS[request.param]
    if request.param not in ("defaults", "others", "long"):
        answers = {"last_module": "01_tensor"} | answers
    course = bake(**answers)
    return Baked(course, DEFAULTS | {"course_slug": course.name} | answers)


def expected_files(answers: dict[str, str]) -> set[Path]:
    """Return the files that a course has: those git knows in the template, less the pruned."""
    names = [path.relative_to(ROOT / TEMPLATE).as_posix() for path in tracked_files(TEMPLATE)]
    tag = re.compile(r"<<\s*cookiecutter\.(\w+)\s*>>")
    rendered = {Path(tag.sub(lambda match: answers[match[1]], name)) for name in names}
    left_out = {Path(name) for name in post.LEFT_OUT.get(answers.get("license"), [])}
    last = answers["last_module"]
    later = {p for p in rendered if p.parts[0] == "modules" and p.parts[1] > last}
    later |= {Path(name) for name, module in post.NEEDED_FROM.items() if module > last}
    return (rendered - left_out - later) | {Path(post.RECORD)}


def test_only_expected_files_exist(baked):
    found = {p.relative_to(baked.course) for p in baked.course.rglob("*") if p.is_file()}
    assert found == expected_files(baked.answers)
    assert not [path for path in found if path.suffix in {".pyc", ".ipynb"}]


def test_no_tag_is_left(baked):
    assert not [path for path in baked.course.rglob("*") if "<" in path.name or ">" in path.name]
    assert not {
        path: found[0] for path, text in baked.texts().items() if (found := LEFTOVER.search(text))
    }


def test_binary_files_arrive_byte_for_byte(course):
    paths = [path for path in tracked_files(TEMPLATE) if is_binary(path.read_bytes())]
    assert paths, "the digits are binary"
    for path in paths:
        (arrived,) = course.rglob(path.name)  # the package's folder has a name of its own
        assert arrived.read_bytes() == path.read_bytes(), path


def test_text_files_are_tidy(baked):
    for path, text in baked.texts().items():
        assert "\r" not in text, path
        assert not text or text.endswith("\n"), path
        assert not text.startswith("\ufeff"), path


def test_structured_files_parse(baked):
    for text in baked.texts(".toml").values():
        tomllib.loads(text)
    for text in baked.texts(".yml", ".yaml", ".cff").values():
        yaml.safe_load(text)
    for text in baked.texts(".json").values():
        json.loads(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path, text in baked.texts(".py").items():
            compiles(text, path)


@lru_cache(512)  # most files are the same whatever was answered
def compiles(text: str, path: Path) -> None:
    compile(ast.parse(text, str(path)), str(path), "exec")


def test_ruff_has_nothing_to_say(baked):
    """Whatever the package is called, imports are sorted and lines are broken as ruff does."""
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=baked.course, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout


def test_answers_arrive_unharmed_in_course_toml(baked):
    settings = tomllib.loads((baked.course / "course.toml").read_text(encoding="utf-8"))
    arrived = {
        "course_title": settings["course"]["title"],
        "course_slug": settings["course"]["slug"],
        "package_name": settings["course"]["package"],
        "term": settings["course"]["term"],
        "institution": settings["course"]["institution"],
        "instructor_name": settings["staff"][0]["name"],
        "instructor_email": settings["staff"][0]["email"],
        "first_day": settings["schedule"]["first_day"].isoformat(),
    }
    assert arrived == {name: baked.answers[name] for name in arrived}


def test_license_is_the_chosen_one(bake):
    text = (bake(**OTHERS) / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("BSD 3-Clause License\n\nCopyright (c) 2031, Grace Hopper\n")
    assert text.endswith("SUCH DAMAGE.\n")


def test_default_license_is_mit(course):
    text = (course / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n\nCopyright (c) 2027 Ada Lovelace\n")
    assert text.endswith("IN THE\nSOFTWARE.\n")


@pytest.mark.parametrize(("name", "short"), [("CC-BY-4.0", "by"), ("CC-BY-SA-4.0", "by-sa")])
def test_creative_commons_is_for_text_and_mit_for_code(name, short, course):
    template = (ROOT / TEMPLATE / "LICENSE").read_text(encoding="utf-8")
    text = derived(template, **(DEFAULTS | {"license": name}))
    of_text, _, of_code = text.partition("MIT License")
    assert (
        f"\nhttps://creativecommons.org/licenses/{short}/4.0/\n\nCopyright (c) 2027 Ada" in of_text
    )
    assert f"MIT License{of_code}" == (course / "LICENSE").read_text(encoding="utf-8")


def test_no_default_answer_is_left(bake, course):
    baked = Baked(bake(**OTHERS), OTHERS)
    defaults = [*(DEFAULTS | {"course_slug": course.name, "license": "MIT License"}).values()]
    left = {
        f"{path}: {default}"
        for path, text in baked.texts().items()
        for default in defaults
        if default in MEANT.sub("", f"{path}\n{text}")
    }
    assert not left


def test_same_answers_give_the_same_bytes(bake, course):
    again = bake()
    for path in expected_files(DEFAULTS):
        assert (again / path).read_bytes() == (course / path).read_bytes(), path


def test_answers_file_bakes_a_term(cookiecutter, tmp_path):
    """A course's next term: the same answers, in a file, and no questions."""
    (tmp_path / "answers.yml").write_text(
        yaml.safe_dump({"default_context": OTHERS}, allow_unicode=True), encoding="utf-8"
    )
    result = cookiecutter(tmp_path, "--config-file", "answers.yml", "--no-input")
    assert result.returncode == 0, result.stderr
    settings = tomllib.loads((tmp_path / "nn-by-hand/course.toml").read_text(encoding="utf-8"))
    assert settings["course"]["title"] == OTHERS["course_title"]
    assert settings["schedule"]["first_day"].isoformat() == OTHERS["first_day"]


def type_answers(cookiecutter, folder: Path, **answers: str):
    """Run Cookiecutter as a person would, typing these answers and Enter at the other questions."""
    questions = [name for name in QUESTIONS if not name.startswith("_")]
    typed = "".join(answers.get(name, "") + "\n" for name in questions)
    return cookiecutter(folder, input=typed)


def test_typed_answers_arrive_unharmed(cookiecutter, tmp_path):
    title = 'Réseaux & "Deep" \\ <Learning> {{ it\'s }}'
    result = type_answers(cookiecutter, tmp_path, course_title=title, license="BSD-3-Clause")
    assert result.returncode == 0, result.stderr
    course = tmp_path / "reseaux-deep-learning-it-s"
    settings = tomllib.loads((course / "course.toml").read_text(encoding="utf-8"))
    assert settings["course"]["title"] == title
    assert (course / "LICENSE").read_text(encoding="utf-8").startswith("BSD")


def test_typed_delimiters_are_refused(cookiecutter, tmp_path):
    result = type_answers(cookiecutter, tmp_path, course_title="Shift << 8")
    assert result.returncode == 1
    assert "course_title: 'Shift << 8' holds <<" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_question_is_explained():
    asked = {name for name in QUESTIONS if not name.startswith("_")}
    assert QUESTIONS["__prompts__"].keys() == asked == pre.RULES.keys()
    for name, offered in {"last_module": pre.MODULES, "license": pre.LICENSES}.items():
        _, *shown = QUESTIONS["__prompts__"][name].strip().splitlines()
        assert [line.split()[0] for line in shown] == [*offered]
    # Rich would take square brackets in a prompt for markup.
    assert "[" not in json.dumps(QUESTIONS["__prompts__"])


def test_the_whole_course_is_the_default_and_ci_tests_each_shorter_one():
    assert QUESTIONS["last_module"] == pre.MODULES[-1]
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert ci["jobs"]["shorter"]["strategy"]["matrix"]["last_module"] == [*pre.MODULES[:-1]]


def derived(text: str, **answers: str) -> str:
    """Render a derived variable of cookiecutter.json, or any other text."""
    environment = create_env_with_context({"cookiecutter": QUESTIONS})
    return render_variable(environment, QUESTIONS.get(text, text), answers)


# YAML has no way to write the last two characters of the basic plane, which mean nothing.
CHARACTERS = st.characters(exclude_characters="\ufffe\uffff")
TITLES = st.text(
    CHARACTERS | st.sampled_from("\\\"'`*_{}[]<>()#+-.!|~$&;a: "), max_size=120
).filter(lambda text: not any(pre.text_faults(text).values()))


@given(TITLES)
def test_quoted_is_right_in_toml_json_and_yaml(title):
    quoted = f'"{derived("__course_title_quoted", course_title=title)}"'
    assert json.loads(quoted) == title
    assert tomllib.loads(f"title = {quoted}")["title"] == title
    assert yaml.safe_load(f"title: {quoted}")["title"] == title


@given(TITLES)
def test_markdown_shows_the_title_itself(title):
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    safe = derived("__course_title_markdown", course_title=title)
    assert html.unescape(reader.render(f"# On {safe}.")) == f"<h1>On {title}.</h1>\n"


@pytest.mark.parametrize("kind", ["quoted", "markdown"])
def test_derived_variables_differ_only_in_their_answer(kind):
    """One rule, written once per answer because cookiecutter.json has no functions."""
    names = [name for name in QUESTIONS if name.startswith("__") and name.endswith(f"_{kind}")]
    stems = {name: name.removeprefix("__").removesuffix(f"_{kind}") for name in names}
    assert len({QUESTIONS[name].replace(f"cookiecutter.{stems[name]}", "") for name in names}) == 1


@given(TITLES)
def test_derived_slug_is_one_folder(title):
    slug = derived("course_slug", course_title=title)
    assert not pre.faults("course_slug", slug) or slug in pre.WINDOWS_DEVICES


FEW = pre.MODULES[0], pre.MODULES[3], pre.MODULES[-2]  # of the shorter courses, where time counts
SHORTER = [m if m in FEW else pytest.param(m, marks=pytest.mark.slow) for m in pre.MODULES[:-1]]


@pytest.fixture(scope="module", params=SHORTER)
def shorter(request, bake) -> Baked:
    """Bake a course that ends after each module but the last."""
    answers = DEFAULTS | {"last_module": request.param}
    course = bake(last_module=request.param)
    return Baked(course, answers | {"course_slug": course.name})


def test_a_course_that_stops_earlier_names_no_later_module(shorter):
    """Neither its folder, its number as a module, its title, nor what it adds to the package."""
    package = DEFAULTS["package_name"]
    names = []
    for folder in pre.MODULES:
        if folder > shorter.answers["last_module"]:
            number, _, stem = folder.partition("_")
            names += [folder, rf"{number} {stem.title()}", rf"Modules? [\d, andto]*\b{number}"]
            names += [
                rf"^\W*{stem.title()}\W*$",
                rf'"{stem}"',
                rf"{stem}\.py",
                rf"{package}\.{stem}",
            ]
    word = re.compile("|".join(rf"(?<!\w)(?:{name})(?!\w)" for name in names), re.MULTILINE)
    found = {path: word.search(text) for path, text in shorter.texts().items()}
    assert {f"{path}: {match[0]}" for path, match in found.items() if match} == set()


def test_a_course_that_stops_earlier_is_whole(shorter):
    """Only the expected files, no import that a later module alone used, none that is missing."""
    test_only_expected_files_exist(shorter)
    test_ruff_has_nothing_to_say(shorter)
    package = shorter.course / DEFAULTS["package_name"]
    there = {f"{package.name}.{p.stem}": bound(p.read_text("utf-8")) for p in package.glob("*.py")}
    for source in shorter.course.glob("modules/*/*_dev.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in there:
                missing = {name.name for name in node.names} - there[node.module]
                assert not missing, (source.name, node.module)


@pytest.mark.parametrize("root", [ROOT, ROOT / TEMPLATE], ids=["template", "course"])
def test_pre_commit_formats_as_lint_does(root):
    """Ruff 0.12, which a course's hooks had, writes `# | export` where 0.17 leaves `#| export`."""
    hooks = (root / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (rev,) = re.findall(r"ruff-pre-commit\n +rev: v(\d+\.\d+)\.", hooks)
    groups = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert set(re.findall(r'"ruff>=([\d.]+),<', groups)) == {rev}


@pytest.mark.slow
def test_ruff_has_nothing_to_say_of_what_was_built(whole):
    """Also before `git init`: where there is no Git, ruff knows no .gitignore."""
    test_ruff_has_nothing_to_say(Baked(whole.root, DEFAULTS))


@pytest.mark.slow
@pytest.mark.parametrize("last_module", pre.MODULES[:-1])
def test_the_last_module_of_a_course_that_stops_earlier_builds(last_module, bake):
    """Its solutions run, and get all points, with nothing but what such a course has."""
    build = [sys.executable, "-m", "coursekit", "build", last_module]
    course = bake(last_module=last_module)
    done = subprocess.run(build, cwd=course, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"released release/{last_module}/" in done.stdout


def test_the_readmes_table_of_modules_is_true():
    """Numbers of exercises and hours are those that the modules say."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \w+ \|.*\| (\d+) \| (.+?) \|$", text, re.M)
    sources = sorted((ROOT / TEMPLATE / "modules").glob("*/*_dev.py"))
    wanted = []
    for path in sources:
        source = path.read_text(encoding="utf-8")
        exercises = len(re.findall(r"^## Exercise \d+", source, re.M))
        (hours,) = re.findall(r"\*\*Time:\*\* (.+?) hours", source)
        wanted.append((path.parent.name[:2], str(exercises), hours))
    assert rows == wanted
