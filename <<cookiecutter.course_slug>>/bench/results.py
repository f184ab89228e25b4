"""A run of the bench, kept: JSON, a table and a picture of it, and what became slower since."""

import importlib.metadata
import json
import os
import platform
import re
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from coursekit.errors import CourseError

FOLDER = Path("bench/results")  # in the course; git ignores it
PACKAGES = "numpy torch autograd nbgrader"  # whose versions are kept
WORSE = 1.2  # times the ratio that was kept, and a check fails


def machine() -> dict[str, object]:
    """Return when and where this runs, and with what."""
    installed = {d.name.lower(): d.version for d in importlib.metadata.distributions() if d.name}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "system": platform.system(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "load": load,  # processes that wanted a core, in the last minute before the end
        "python": platform.python_version(),
        **{name: installed.get(name) for name in PACKAGES.split()},
    }


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", known.read_text("utf-8")) if known.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def store(kind: str, found: dict[str, object]) -> Path:
    """Write a run into a file of its own below the current folder; return its path."""
    path = FOLDER / f"{kind}-{datetime.now():%Y-%m-%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {kind: {"machine": machine(), **found}}
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> dict[str, float]:
    """Return the ratio of ours to NumPy by hand in each case of a stored run of the framework.

    Raises:
        CourseError: The file cannot be read, or holds no such run.
    """
    try:
        cases = json.loads(path.read_text(encoding="utf-8"))["framework"]["cases"]
        return {name: float(case["ratios"]["ours"]) for name, case in cases.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "holds no run of the framework"
        raise CourseError(f"{path}: {reason}. Name a file that `nox -s bench` stored") from error


def worse(kept: dict[str, float], found: dict[str, dict]) -> dict[str, str]:
    """Return each case in which we got slower against NumPy by hand than was kept, and a line.

    Only ratios are compared: how fast the machine is does not matter.
    """
    lines = {}
    for name, old in kept.items():
        if name not in found:
            lines[name] = f"{name}: is not measured any more; keep a new run"
        elif (new := found[name]["ratios"]["ours"]) > WORSE * old:
            more = f"{100 * (new / old - 1):.0f} % more"
            lines[name] = f"{name}: {new:.2f} times NumPy by hand, {more} than the {old:.2f} kept"
    return lines


def table(cases: dict[str, dict]) -> str:
    """Return a line for each case: what the base takes, and how many times that each peer takes."""
    peers = list(next(iter(cases.values()))["seconds"])
    lines = [f"{'times as long as':26} {peers[0]:>15}" + "".join(f"{p:>15}" for p in peers[1:])]
    for name, case in cases.items():
        micros = 1e6 * case["seconds"][peers[0]]
        numbers = "".join(f"{case['ratios'][peer]:15.2f}" for peer in peers[1:])
        lines.append(f"{name:26} {micros:12,.1f} µs{numbers}")
    return "\n".join(lines)


def finding(cases: dict[str, dict]) -> str:
    """Return what the picture shows, in a sentence."""
    ratios = [case["ratios"] for case in cases.values()]
    ours = [each["ours"] for each in ratios]
    text = f"Ours takes {min(ours):.1f} to {max(ours):.1f} times as long as NumPy by hand"
    others = [peer for peer in ratios[0] if peer not in ("by hand", "ours")]
    wins = [f"than {p} in {sum(r['ours'] < r[p] for r in ratios)}" for p in others]
    return f"{text}; of {len(ratios)} cases,\nit takes less {' and '.join(wins)}" if wins else text


def draw(cases: dict[str, dict], path: Path) -> None:
    """Draw each peer's ratio to NumPy by hand, case by case, into a PNG."""
    figure = Figure(figsize=(8, 0.35 * len(cases) + 1.6), layout="constrained")
    ax, rows = figure.subplots(), range(len(cases))
    peers = [peer for peer in next(iter(cases.values()))["ratios"] if peer != "by hand"]
    for peer, marker in zip(peers, "osD", strict=False):
        ratios = [case["ratios"][peer] for case in cases.values()]
        ax.plot(ratios, rows, marker, label=peer)
    ax.axvline(1, color="gray")
    ticks = [t for t in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if t <= 1.3 * ax.get_xlim()[1]]
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(rows, list(cases))
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.set_xlabel("time, as a multiple of NumPy by hand (gray line); less is better")
    ax.set_title(finding(cases))
    ax.legend()
    figure.savefig(path, dpi=120)
