"""Make the README's figures anew, from runs of the bench that are kept in figures.json.

    python3 noxfile.py -s bench -- --oracle     # on a quiet machine; says where it stores the run
    python3 noxfile.py -s bench -- --grading
    python .github/figures.py RUN.json …        # keeps these runs, and writes README.md

Without a run, it writes README.md from what is kept: after an edit of what no bench counts, which
is "counted" in figures.json.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT, README = HERE / "figures.json", HERE.parent / "README.md"
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.DOTALL)
BENCH = "`python3 noxfile.py -s bench -- --{}`"


def main() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    for name in sys.argv[1:]:
        kept |= run_in(Path(name))
    text = with_figures(README.read_text(encoding="utf-8"), kept)
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    README.write_text(text, encoding="utf-8")


def run_in(path: Path) -> dict[str, dict]:
    """Return a stored run, below the name of its bench; exit where a file is something else."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        run = None
    if not isinstance(run, dict) or not run.keys() & {"framework", "grading"}:
        sys.exit(f"{path}: holds no run. Name a file that `nox -s bench` stored")
    return run


def with_figures(readme: str, kept: dict) -> str:
    """Return the README with all that stands between the two comments made from what is kept."""
    parts = [framework(kept["framework"]), rest(kept["grading"], kept["counted"])]
    return BLOCK.sub(lambda _: "\n\n".join(parts) + "\n", readme)


def framework(run: dict) -> str:
    """Return the table of the framework and its peers, and where it was measured."""
    peers = list(run["gradients"]["wrong"])
    rows = [["time, as a multiple of NumPy by hand", *peers], ["---"] * (1 + len(peers))]
    for name, case in run["cases"].items():
        rows.append([name, *(number(case["ratios"][peer]) for peer in peers)])
    total = run["gradients"]["cases"]
    right = (total - len(wrong) for wrong in run["gradients"]["wrong"].values())
    rows.append(["gradients that are right", *(f"{count} of {total}" for count in right)])
    machine = run["machine"]
    names = {"Python": "python", "NumPy": "numpy", "PyTorch": "torch", "HIPS autograd": "autograd"}
    versions = ", ".join(f"{name} {machine[key]}" for name, key in names.items())
    meaning = f"Less is better; 1 is as fast as NumPy by hand. By {BENCH.format('oracle')}:"
    return f"{table(rows)}\n\n{meaning}\none thread, {versions}; {where(machine)}."


def rest(run: dict, counted: list[list[str]]) -> str:
    """Return the table of grading, and of what was counted."""
    nbgrader, *_, ours = run["seconds"].values()
    times = f"{number(run['ratio'])} times; {ours:.2g} s a submission, not {nbgrader:.2g}"
    more = ", ".join(f"{seconds:.2g}" for seconds in run["growth"].values())
    what = f"`grade`, {run['submissions']} submissions, against plain `nbgrader autograde`, "
    what += f"{run['plain']} of them: Module {run['module'][:2]}, same points"
    among = f"`grade`: seconds a submission, among {', '.join(run['growth'])}"
    rows = [["what", "about", "how to see it"], ["---"] * 3]
    rows += [[what, times, BENCH.format("grading")], [among, more, "the same"], *counted]
    return f"{table(rows)}\n\nGrading: median of {run['rounds']}; {where(run['machine'])}."


def where(machine: dict) -> str:
    """Return the machine, the day, and how busy it was: figures of a busy one are rough."""
    kind = f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores"
    return f"{kind}, {machine['time'][:10]}, load {machine['load'] or 0:.1f}"


def number(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("| --- ", "|---")


if __name__ == "__main__":
    main()
