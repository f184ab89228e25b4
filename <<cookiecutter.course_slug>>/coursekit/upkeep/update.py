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

RECORD = ".template.json"


def run(*command: str | Path, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and keep what it says."""
    env = os.environ | {"PYTHONUTF8": "1"} | environment
    try:
        return subprocess.run(
            command, cwd=at, env=env, check=False, capture_output=True, encoding="utf-8"
        )
    except FileNotFoundError:
        raise CourseError(f"{command[0]} is missing: install it, and run this again.") from None


def ask(*arguments: str, at: Path) -> str:
    """Return what git says, or nothing if it fails."""
    done = run("git", *arguments, at=at)
    return done.stdout.strip() if done.returncode == 0 else ""


def git(*arguments: str, at: Path, **environment: str) -> str:
    """Return what git says; a CourseError, in its own words, if it fails."""
    done = run("git", *arguments, at=at, **environment)
    if done.returncode:
        raise CourseError(f"git {arguments[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def names(*arguments: str, at: Path) -> set[str]:
    """Return the files that a git command lists."""
    return set(git(*arguments, "-z", at=at).split("\0")) - {""}


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
            if found := ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}", at=self.clone):
                return found
        raise CourseError(
            f"{self.address} has no version {version!r}: name a tag or commit that it has, as "
            f"VERSION; or in {self.record}, if that is what names this one."
        )

    def name(self, commit: str) -> str:
        """Return a commit as people call it: its tag, or how far it is from one."""
        return git("describe", "--tags", "--always", "--abbrev=12", commit, at=self.clone)

    def target(self, version: str | None) -> str:
        """Return the commit to update to: of a version, or the newest; that of now, if none is.

        The newest is the last one with a tag; before the first tag, the last one.
        """
        wanted = version or ask("describe", "--tags", "--abbrev=0", "HEAD", at=self.clone) or "HEAD"
        target, now = self.commit(wanted), self.commit(self.version)
        is_older = ask("merge-base", target, now, at=self.clone) == target
        return now if is_older and not version else target

    def bake(self, commit: str, course: Path, changed: Mapping[str, str]) -> None:
        """Bake a version as a folder. Recorded answers that it does not ask for are left out."""
        git("checkout", "--quiet", "--detach", commit, at=self.clone)
        asked = json.loads((self.clone / "cookiecutter.json").read_text(encoding="utf-8"))
        known = {name: value for name, value in self.answers.items() if name in asked}
        given = [f"{name}={value}" for name, value in {**known, **changed}.items()]
        settings = self.clone.parent / "settings.yml"  # JSON is YAML; the user's own do not count
        kept = dict.fromkeys(("replay_dir", "cookiecutters_dir"), str(self.clone.parent / "kept"))
        settings.write_text(json.dumps(kept), encoding="utf-8")
        baked = self.clone.parent / "baked"
        how = ("--no-input", "--config-file", settings, "--output-dir", baked)
        command = (sys.executable, "-m", "cookiecutter", *how, self.clone, *given)
        done = run(*command, at=self.clone.parent)
        if done.returncode:
            raise CourseError(
                f"The template at {self.name(commit)} does not take the answers in {self.record}; "
                f"to give another: --answer NAME VALUE\n{(done.stderr or done.stdout).strip()}"
            )
        course.parent.mkdir(parents=True, exist_ok=True)
        next(baked.iterdir()).rename(course)


@contextmanager
def template(course: Course) -> Iterator[Template]:
    """Clone the template that the course was baked from. CourseError if nothing says which."""
    path = course.root / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        address, version, answers = (record[key] for key in ("template", "version", "answers"))
        answers = {name: str(value) for name, value in answers.items()}
        if not (address and version):  # baked from a zip, or without git
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CourseError(
            f'{path} must say what was baked: {{"template": "its git address", "version": "a tag '
            'or commit, the nearest if you do not know", "answers": {"course_title": …}}. Write it, '
            "commit it, and run this again."
        ) from None
    from cookiecutter.config import BUILTIN_ABBREVIATIONS
    from cookiecutter.repository import expand_abbreviations

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder).resolve() / "template"
        address = expand_abbreviations(address, BUILTIN_ABBREVIATIONS)
        done = run("git", "clone", "--quiet", "--", address, clone, at=course.root)
        if done.returncode:
            raise CourseError(f"{path}: {address} cannot be cloned: {done.stderr.strip()}")
        yield Template(clone, path, address, version, answers)


def newer(course: Course, version: str | None) -> str:
    """Return a sentence on what `update` would bring, or nothing."""
    with template(course) as known:
        target = known.target(version)
        found = f"This course is of {known.version}; there is {known.name(target)}."
        return found if target != known.commit(known.version) else ""


def update(course: Course, version: str | None, changed: Mapping[str, str]) -> str:
    """Merge a version of the template, the newest if none is named; return what came of it.

    `changed` are answers that are other ones from now on. CourseError if anything is in the way,
    and nothing is changed; and if there are conflicts, which are left to be solved.
    """
    places = ask("rev-parse", "--absolute-git-dir", "--show-toplevel", "HEAD", at=course.root)
    if not places:
        raise CourseError(
            f"{course.root} is in no git repository with a commit, and git does the merging: "
            "git init && git add . && git commit -m Course, then run this again."
        )
    repository, top = map(Path, places.splitlines()[:2])
    if git("status", "--porcelain", "--untracked-files=no", at=top):
        raise CourseError(
            f"{top} has changes that are not committed (git status): commit them, or put them "
            "aside (git stash), then run this again."
        )
    with template(course) as known:
        target = known.target(version)
        name, place = known.name(target), course.root.relative_to(top)
        if target == known.commit(known.version) and not changed:
            return f"Nothing is newer than {known.version}, which this course is of."
        old, new = (known.clone.parent / folder for folder in ("old", "new"))
        known.bake(known.commit(known.version), old / place, {})
        shutil.copy(known.record, old / place)  # whatever stands there, the new one replaces it
        known.bake(target, new / place, changed)
        message = f"Update the template from {known.version} to {name}"
        commit = committed(new, repository, message, committed(old, repository, message))
    # Git would overwrite files that it is told to ignore.
    brought = names("diff", "--name-only", "--diff-filter=d", f"{commit}~", commit, at=top)
    lost = sorted(file for file in brought - names("ls-files", at=top) if (top / file).exists())
    if lost:
        raise CourseError(
            f"The template brings {', '.join(lost[:5])}, and yours is not in git: move it away, or "
            "add and commit it, then run this again."
        )
    done = run("git", "cherry-pick", "--keep-redundant-commits", commit, at=top)
    if unsolved := sorted(names("diff", "--name-only", "--diff-filter=U", at=top)):
        raise CourseError(
            f"You and the template changed the same lines of {', '.join(unsolved)}: decide there, "
            "`git add` these files, then `git cherry-pick --continue`. To take all of the update "
            "back: `git cherry-pick --abort`."
        )
    if done.returncode:
        raise CourseError(f"git cherry-pick: {(done.stderr or done.stdout).strip()}")
    return f"{message}: it is a commit (git show --stat). Next: nox -s build; nox -s test."


def committed(folder: Path, repository: Path, message: str, *parents: str) -> str:
    """Commit a folder, on no branch; return the commit."""
    index = f"{folder}.index"
    env = {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": index}
    git("add", "--all", ".", at=folder, **env)
    after = [word for parent in parents for word in ("-p", parent)]
    tree = git("write-tree", at=folder, **env)
    return git("commit-tree", *after, "-m", message, tree, at=folder, **env)
