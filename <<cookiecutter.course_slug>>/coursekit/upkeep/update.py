"""Brings a newer template into a course that people have edited.

The template is baked twice with the course's answers, as it was and as it is now. Git merges the
difference: the commit of the new bake, whose parent is the old bake, is cherry-picked, for that is
a merge of three with the parent as the base. So nothing depends on the course's own history, which
a fork may have squashed; no branch need be kept; any git does it; and what git says and offers
where both changed the same lines (`git status`, --continue, --abort) is what people know.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from coursekit.course import Course
from coursekit.errors import CourseError


def run(*command: str | Path, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and keep what it says."""
    env = os.environ | {"PYTHONUTF8": "1"} | environment
    how = {"cwd": at, "env": env, "capture_output": True, "encoding": "utf-8"}
    try:
        return subprocess.run(command, check=False, **how)
    except FileNotFoundError:
        raise CourseError(f"{command[0]} is missing: install it, and run this again.") from None


def git(*arguments: str, at: Path, **environment: str) -> str:
    """Return what git says; a CourseError, in its own words, if it fails."""
    done = run("git", *arguments, at=at, **environment)
    if done.returncode:
        raise CourseError(f"git {arguments[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def names(*arguments: str, at: Path) -> set[str]:
    """Return the files that a git command lists."""
    return set(git(*arguments, "-z", at=at).split("\0")) - {""}


HOW = "`git cherry-pick --continue`; or all back: `git cherry-pick --abort`."


@dataclass(frozen=True)
class Template:
    """A clone of the template, and what the course says of it."""

    clone: Path
    record: Path
    address: str
    version: str  # that the course was baked from
    answers: Mapping[str, str]

    def commit(self, version: str) -> str:
        """Return the commit of a tag, branch or commit; CourseError if there is no such."""
        for name in (version, f"origin/{version}"):  # a clone has one branch of its own
            done = run("git", "rev-parse", "-q", "--verify", f"{name}^{{commit}}", at=self.clone)
            if done.returncode == 0:
                return done.stdout.strip()
        raise CourseError(
            f"{self.address} has no version {version!r}: name a tag or commit that it has, as "
            f"VERSION; or in {self.record}, if that is what names this one."
        )

    def name(self, commit: str) -> str:
        """Return a commit as people call it: its tag, or how far it is from one."""
        return git("describe", "--tags", "--always", "--abbrev=12", commit, at=self.clone)

    def target(self, version: str | None) -> str:
        """Return the commit of a version, else of the last tag; if that is not newer, ours."""
        last = run("git", "describe", "--tags", "--abbrev=0", at=self.clone).stdout.strip()
        target, now = self.commit(version or last or "HEAD"), self.commit(self.version)
        is_older = run("git", "merge-base", "--is-ancestor", target, now, at=self.clone)
        return target if version or is_older.returncode else now

    def asked(self, commit: str) -> set[str]:
        """Return the names of what a version asks."""
        asked = json.loads(git("show", f"{commit}:cookiecutter.json", at=self.clone))
        return {name for name in asked if not name.startswith("_")}

    def bake(self, commit: str, course: Path, changed: Mapping[str, str]) -> None:
        """Bake a version as a folder. Recorded answers that it does not ask for are left out."""
        git("checkout", "--quiet", "--detach", commit, at=self.clone)
        asked = self.asked(commit)
        known = {name: value for name, value in self.answers.items() if name in asked}
        given = [f"{name}={value}" for name, value in {**known, **changed}.items()]
        # In place of the user's own settings; JSON is YAML.
        settings, baked = self.clone.parent / "settings.yml", self.clone.parent / "baked"
        settings.write_text(json.dumps({"replay_dir": str(baked.parent)}), encoding="utf-8")
        how = ("--no-input", "--config-file", settings, "--output-dir", baked, self.clone)
        done = run(sys.executable, "-m", "cookiecutter", *how, *given, at=self.clone.parent)
        if done.returncode:
            raise CourseError(
                f"The template at {self.name(commit)} cannot be baked with {self.record} "
                f"(another answer: --answer NAME VALUE):\n{(done.stderr or done.stdout).strip()}"
            )
        course.parent.mkdir(parents=True, exist_ok=True)
        next(baked.iterdir()).rename(course)


@contextmanager
def template(course: Course) -> Iterator[Template]:
    """Clone the template that the course was baked from. CourseError if nothing says which."""
    path = course.root / ".template.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        address, version, answers = (record[key] for key in ("template", "version", "answers"))
        answers = {name: str(value) for name, value in answers.items()}
        if not (address and version):  # baked from a zip, or without git
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CourseError(
            f'{path} must say what was baked: {{"template": "its git address", "version": "a tag '
            'or commit, or the nearest", "answers": {"term": …}}. Write that, and commit it.'
        ) from None
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder).resolve() / "template"
        done = run("git", "clone", "--quiet", "--", address, clone, at=course.root)
        if done.returncode:
            raise CourseError(f"{path}: {address} cannot be cloned: {done.stderr.strip()}")
        yield Template(clone, path, address, version, answers)


def update(course: Course, version: str | None, changed: Mapping[str, str], check: bool) -> str:
    """Merge a version of the template, the newest if none is named; return what came of it.

    `changed` are answers that are other ones from now on. CourseError if anything is in the way,
    or to `check` what there is, and nothing is changed; and of conflicts, which are left to solve.
    """
    if not run("git", "rev-parse", "-q", "--verify", "CHERRY_PICK_HEAD", at=course.root).returncode:
        raise CourseError(f"An update is half done (git status): end it by {HOW}")
    with template(course) as known:
        target = known.target(version)
        if target == known.commit(known.version) and not changed:
            return f"No tag is newer than {known.version}, which this course is of."
        message = f"Update the template from {known.version} to {known.name(target)}"
        if target == known.commit(known.version):
            message = f"Change answers of the template: {', '.join(changed)}"
        was, now = known.asked(known.commit(known.version)), known.asked(target)
        if new := sorted(now - was - {*known.answers, *changed}):
            gone = f" (and no longer {', '.join(sorted(was - now))})" if was - now else ""
            raise CourseError(
                f"{known.name(target)} of the template asks for {', '.join(new)}{gone}: answer by "
                f"nox -s update -- --answer {new[0]} VALUE"
            )
        if check:
            raise CourseError(f"{message}, at {known.address}. To do so: nox -s update")
        repository, top = clean(course.root)
        old, new = (known.clone.parent / folder for folder in ("old", "new"))
        inside = course.root.relative_to(top)
        known.bake(known.commit(known.version), old / inside, {})
        shutil.copy(known.record, old / inside)  # whatever stands there, the new one replaces it
        known.bake(target, new / inside, changed)
        base = committed(old, repository, message)
        commit = committed(new, repository, message, "-p", base)
    # Git would overwrite files that it is told to ignore.
    brought = names("diff", "--name-only", "--diff-filter=d", f"{commit}~", commit, at=top)
    lost = sorted(file for file in brought - names("ls-files", at=top) if (top / file).exists())
    if lost:
        raise CourseError(
            f"The template brings {', '.join(lost[:5])}, and yours is not in git: move it away, or "
            "add and commit it; then run this again."
        )
    done = run("git", "cherry-pick", "--keep-redundant-commits", commit, at=top)
    both = names("status", "--porcelain", "--untracked-files=no", at=top)
    if removed := sorted(each[3:] for each in both if each.startswith("DU ")):  # here, not there
        git("rm", "-q", "--", *removed, at=top)
        done = run("git", "-c", "core.editor=true", "cherry-pick", "--continue", at=top)
    if unsolved := sorted(names("diff", "--name-only", "--diff-filter=U", at=top)):
        raise CourseError(
            f"Your changes and the template's meet in {', '.join(unsolved)}: decide there, `git "
            f"add` it, then {HOW}"
        )
    if done.returncode:
        raise CourseError(f"{(done.stderr or done.stdout).strip()}\nAfter that: {HOW}")
    return f"{message}: it is a commit (git show --stat). Next: nox -s build; nox -s test."


def clean(folder: Path) -> tuple[Path, Path]:
    """Return the repository that a folder is in, and its top. CourseError if git is not ready."""
    place = run("git", "rev-parse", "--absolute-git-dir", "--show-toplevel", "HEAD", at=folder)
    if place.returncode:
        raise CourseError(
            f"{folder}: git does the merging, and says: {place.stderr.splitlines()[0]}. For a new "
            "repository: git init && git add . && git commit -m Course"
        )
    repository, top, _ = map(Path, place.stdout.splitlines())
    if git("status", "--porcelain", "--untracked-files=no", at=top):
        raise CourseError(f"{top} has changes that are not committed (git status): do that first.")
    return repository, top


def committed(folder: Path, repository: Path, message: str, *parent: str) -> str:
    """Commit a folder, on no branch; return the commit."""
    index = f"{folder}.index"
    env = {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": index}
    git("add", "--all", ".", at=folder, **env)
    tree = git("write-tree", at=folder, **env)
    return git("commit-tree", *parent, "-m", message, tree, at=folder, **env)
