"""How fast is the reference framework? One thread, against NumPy by hand, PyTorch, HIPS autograd.

    nox -s bench                    # what is installed: prints a table, stores JSON and a picture
    nox -s bench -- --oracle        # installs PyTorch and HIPS autograd first
    nox -s bench -- --check FILE    # fails where the ratio to NumPy by hand got a fifth worse

What counts is the ratio: every number is the median of many short rounds, in which the peers take
turns.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy is imported

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench import cases, gradients, peers, results
from coursekit import course as course_file
from coursekit.course import Course
from coursekit.errors import CourseError

ROOT = Path(__file__).resolve().parent.parent


def digits(course: Course) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits to train with: rows of 64 pixels, and labels."""
    with np.load(course.package_dir / "digits.npz") as file:
        images, labels = file["train_images"], file["train_labels"]
    return images.reshape(-1, 64) / np.float32(16), labels.astype(np.int64)


def main() -> None:
    """Measure, print and store; with --check, compare.

    Raises:
        CourseError: The file to compare with cannot be read.
    """
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__.splitlines()[0])
    parser.add_argument("--check", type=Path, metavar="FILE", help="a run to compare with")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case; default 5")
    args = parser.parse_args()
    kept = results.read(args.check) if args.check else {}
    course = course_file.load(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        f = peers.framework(course, Path(folder))
        if not hasattr(f, "SGD"):
            sys.exit("No module of this course trains a network: there is no step to time.")
        known = peers.installed(f)
        found = measured(cases.all_cases(known, digits(course)), args.seconds, kept)
        right = gradients.count(known)
    show(found, right)
    path = results.store("framework", {"cases": found, "gradients": right})
    results.draw(found, path.with_suffix(".png"))
    print(f"Stored: {path}, and beside it a picture")
    if args.check and (lines := complaints(kept, found, right)):
        sys.exit("\n".join(lines))


def measured(
    every: dict[str, cases.Case], seconds: float, kept: dict[str, float]
) -> dict[str, dict]:
    """Time each case; once more, and longer, where it seems slower than it was."""
    cases.keep_memory()
    found = {name: cases.measure(case, seconds) for name, case in every.items()}
    again = results.worse(kept, found).keys() & every.keys()
    for name in sorted(again):  # a busy moment is no reason to fail
        print(f"Once more: {name}", flush=True)
        found[name] = cases.measure(every[name], 4 * seconds)
    return found


def complaints(kept: dict[str, float], found: dict[str, dict], right: dict) -> list[str]:
    """Return a line for each case that became slower, and one for gradients that are wrong."""
    wrong = right["wrong"]["ours"]
    lines = [f"gradients: ours are wrong for {', '.join(wrong)}"] if wrong else []
    return [*results.worse(kept, found).values(), *lines]


def show(found: dict, right: dict) -> None:
    """Print what was measured."""
    print(results.table(found))
    total = right["cases"]
    counts = (f"{name} {total - len(wrong)} of {total}" for name, wrong in right["wrong"].items())
    print("gradients that are right:", ", ".join(counts))
    if len(right["wrong"]) < 3:
        print("PyTorch or HIPS autograd is missing: `nox -s bench -- --oracle` installs both.")


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(str(error))
