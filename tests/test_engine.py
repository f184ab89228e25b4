"""The engine in its sandbox: attacks find nothing, accidents under a test are put back.

Each one is a student's cell before a test. The tests import coursekit from the template, whose
machinery holds no answers to fill in. Who deceives a test is what test_cheats.py is about.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from delimiters import ROOT

sys.path.insert(0, str(ROOT / "<<cookiecutter.course_slug>>"))
from coursekit.sandbox import bubblewrap  # noqa: E402
from coursekit.sandbox.engine import Cell, Engine, Job, Outcome  # noqa: E402

needs_sandbox = pytest.mark.skipif(
    not shutil.which("bwrap") or not bubblewrap.available(), reason="bubblewrap cannot be used here"
)
LIMITS = {
    "cell_seconds": 1.0, "notebook_seconds": 8, "memory_mb": 512,
    "processes": 16, "disk_mb": 8, "output_kb": 16,
}  # fmt: skip
OURS = """
import numpy as np
def check(got, expected):
    assert got == expected, f"expected {expected}, got {got}"
"""
TEST = """
def test_answer():
    check(answer(), 42)
    assert np.allclose(answer(), 42.0), "not close"
    assert isinstance(answer(), int)
test_answer()
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package that code may import, empty."""
    folder = tmp_path_factory.mktemp("package") / "reference"
    (folder / "minitorch").mkdir(parents=True)
    (folder / "minitorch" / "__init__.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def engine(reference: Path):
    with Engine(reference, LIMITS, sandboxed=bubblewrap.available()) as engine:
        yield engine


def job(*theirs: str, test: str = TEST) -> Job:
    """Return a job: a helper of ours, a student's cells, and a test."""
    cells = [Cell(f"student-{n}", source) for n, source in enumerate(theirs)]
    provided = Cell("provided", OURS, "provided", ("np", "check"))
    return Job((provided, *cells, Cell("test", test, "test")), LIMITS)


def passed(outputs: list | None) -> bool:
    """Tell whether nbgrader gives a cell with these outputs all its points."""
    bad = [o for o in outputs or [] if o["output_type"] == "error" or o.get("name") == "stderr"]
    return outputs is not None and not bad


def texts(outputs: list | None) -> str:
    """Return what a cell printed or raised."""
    return "".join(o.get("text", "") + o.get("evalue", "") for o in outputs or [])


RIGHT, WRONG = "def answer(): return 42", "def answer(): return 41"


def test_right_is_right_and_wrong_is_wrong(engine: Engine) -> None:
    right, wrong = (engine.run(job(code)) for code in (RIGHT, WRONG))
    assert passed(right.outputs[-1]) and right.ended == ""
    assert not passed(wrong.outputs[-1])
    assert "expected 42, got 41" in texts(wrong.outputs[-1])


def test_a_test_asserts_under_python_o_and_is_main(engine: Engine) -> None:
    test = "if __name__ == '__main__': assert 0"
    assert not passed(engine.run(job(RIGHT, test=test)).outputs[-1])
    code = "import sys; sys.path.insert(0, sys.argv[1]); from compiling import compiled\n"
    code += "exec(compiled('assert 0', 'x', frozenset())[0])"
    inside = Path(bubblewrap.__file__).parent / "inside"
    done = subprocess.run(
        [sys.executable, "-O", "-c", code, inside], capture_output=True, check=False
    )
    assert b"AssertionError" in done.stderr


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("2.5", "2.5"),
        ("2.5;", None),
        ("None", None),
        ("x = 3", None),
        ("'3'", "'3'"),
        ("%matplotlib inline\n7", "7"),
        ("%%time\n8", "8"),
        ("!ls", None),
    ],
)
def test_the_last_line_is_shown_as_ipython_does(
    engine: Engine, source: str, result: str | None
) -> None:
    outcome = engine.run(job(RIGHT, test=source))
    shown = [o["data"]["text/plain"] for o in outcome.outputs[-1] if "data" in o]
    assert shown == ([result] if result else [])


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.stderr.write('oh')",
        "import warnings; warnings.warn('oh')",
        "import os; os.write(2, b'oh')",
        "import sys; sys.exit()",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "return",
    ],
)
def test_whatever_nbgrader_fails_is_failed(engine: Engine, source: str) -> None:
    assert not passed(engine.run(job(RIGHT, test=source)).outputs[-1])


ACCIDENTS = {
    "exit": "import os; os._exit(0)",
    "exit in the test": "import os\ndef answer(): os._exit(0)",
    "sys.exit in the test": "import sys\ndef answer(): sys.exit(0)",
    "check": "def check(*a): pass",
    "check's code": "check.__code__ = (lambda got, expected: None).__code__",
    "check's code, before": "c = check.__code__; check.__code__ = (lambda *a: None).__code__",
    "a callable that shadows": "def isinstance(*a): return True",
    "builtins": "import builtins; builtins.isinstance = lambda *a: True",
    "allclose": "np.allclose = lambda *a, **k: True",
    "np itself": "class N:\n    def __getattr__(s, n): return lambda *a, **k: True\nnp = N()",
    "sys.modules": "import sys; sys.modules['numpy'] = sys",
    "settrace": "import sys; sys.settrace(lambda f, e, a: None)",
    "setprofile": "import sys; sys.setprofile(lambda *a: None)",
    "AssertionError": "import builtins; builtins.AssertionError = ZeroDivisionError",
    "builtins of the notebook": "__builtins__ = {}",
    "compile and exec": "import builtins\nbuiltins.exec = builtins.compile = lambda *a, **k: None",
    "json": "import json\njson.dumps = json.loads = json.JSONEncoder.encode = lambda *a, **k: ''",
    "displayhook": "import sys; sys.displayhook = sys.excepthook = lambda *a: None",
    "stderr": "import sys; sys.stderr = sys.stdout",
    "atexit": "import atexit; atexit.register(print, 'passed')",
    "linecache": "import linecache; linecache.cache.clear(); linecache.getlines = lambda *a: []",
    "the test by name": "def test_answer(): pass",
    "print": "import builtins; builtins.print = lambda *a, **k: None",
    "pipe": "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'{}\\n')\n"
    "    except OSError: pass",
    "a verdict of its own": "import os\nfor fd in range(3, 256):\n    try: os.write(fd, "
    'b\'{"token": "", "outputs": []}\\n\' * 9)\n    except OSError: pass',
    "swallowed": "def answer():\n    try: raise AssertionError\n    except Exception: return 41",
    "recursion": "import sys; sys.setrecursionlimit(60)",
    "gc": "import gc\nfor f in gc.get_objects():\n"
    "    if getattr(f, '__name__', '') == 'put_back': f.__code__ = (lambda *a: []).__code__",
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_what_happens_to_names_makes_no_wrong_work_right(engine: Engine, name: str) -> None:
    outcome = engine.run(job(WRONG, ACCIDENTS[name]))
    assert not passed(outcome.outputs[-1])
    assert engine.run(job(RIGHT)).ended == "", "the next submission is as ever"


def test_what_a_test_relies_on_is_put_back(engine: Engine) -> None:
    code = """
def check(*a): pass
np.allclose = None
np.seterr(all="raise")
import builtins
builtins.isinstance = None
"""
    outcome = engine.run(job(RIGHT, code, test=TEST + "print(np.geterr()['divide'])"))
    assert texts(outcome.outputs[-1]) == "warn\n"


def test_a_built_in_means_itself_in_tests_and_what_a_student_made_of_it_elsewhere(
    engine: Engine,
) -> None:
    """Stock nbgrader's scores need the second half: `from numpy import *` shadows seven of them."""
    code = "def abs(x): return 42\ndef answer(): return abs(1)"
    test = "assert abs(-3) == 3 and answer() == 42 and isinstance(answer(), int)"
    shadow = "def isinstance(*a): raise ValueError"
    assert passed(engine.run(job(code, shadow, test=test)).outputs[-1])
    assert not passed(engine.run(job("def answer(): return 'x'", shadow)).outputs[-1])


def runs(*cells: Cell) -> Job:
    return Job((Cell("provided", OURS, "provided", ("np", "check")), *cells), LIMITS)


def test_once_a_test_failed_its_other_runs_are_left_out(engine: Engine) -> None:
    decoy = Cell("t", TEST.replace("42", "43"), "test", decoy=True, counts=False)
    test, again = Cell("t", TEST, "test"), Cell("t", TEST, "test", counts=False)
    wrong = engine.run(runs(Cell("s", WRONG), decoy, test, decoy, again))
    assert [o is None for o in wrong.outputs] == [False, False, False, False, True, True]
    right = engine.run(runs(Cell("s", RIGHT), decoy, test, decoy, again))
    assert [passed(o) for o in right.outputs] == [True, True, False, True, False, True]


def test_runs_that_do_not_count_take_no_time_of_the_notebook(engine: Engine) -> None:
    limits = {**LIMITS, "notebook_seconds": 1.5}
    burn = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    extra = [Cell(f"e{n}", burn, "test", counts=False) for n in range(5)]
    outcome = engine.run(replace(runs(*extra, Cell("last", burn, "test")), limits=limits))
    assert outcome.ended == "" and passed(outcome.outputs[-1])
    assert None in outcome.outputs, "but they have an end, too"
    counted = [Cell(f"c{n}", burn, "test") for n in range(5)]
    assert "ran out of time" in engine.run(replace(runs(*counted), limits=limits)).ended


def test_whoever_sleeps_in_each_cell_comes_to_an_end(engine: Engine) -> None:
    limits = {**LIMITS, "notebook_seconds": 0.2}  # ten times as long on the wall's clock
    cells = [Cell(f"s{number}", "import time; time.sleep(1.5)") for number in range(9)]
    outcome = engine.run(replace(runs(*cells), limits=limits))
    assert "the notebook ran out of time" in outcome.ended and outcome.outputs[-1] is None


def test_replies_that_are_not_the_engines_own_end_the_run(engine: Engine) -> None:
    code = "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'[{}]\\n' * 9)\n"
    outcome = engine.run(job(RIGHT, code + "    except OSError: pass"))
    assert "results were not the engine's own" in outcome.ended


@needs_sandbox
def test_whoever_plots_next_can_plot_too(engine: Engine) -> None:
    """To load matplotlib is nobody's cell time, whoever is the first to ask for it."""
    plot = """
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.savefig("x.png")
print(plt.gcf().get_axes()[0].lines[0].get_xydata().shape)
"""
    for _ in range(3):
        assert printed_by(engine, plot) == "(2, 2)\n"


def test_an_early_end_keeps_the_cells_before_it(engine: Engine) -> None:
    outcome = engine.run(job(RIGHT, "print('here')", "import os; os._exit(3)"))
    assert texts(outcome.outputs[2]) == "here\n"
    assert outcome.outputs[-1] is None
    assert "exit code 3" in outcome.ended


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "sum(range(10**12))",
        "import time; time.sleep(99)",
    ],
)
def test_endless_loops_end(engine: Engine, loop: str) -> None:
    soon = {**LIMITS, "cell_seconds": 0.3}
    outcome = engine.run(replace(job(RIGHT, loop), limits=soon))
    ended = "out of time" in outcome.ended
    assert ended or "CellTimeoutError" in str(outcome.outputs[2])


def test_who_sleeps_or_waits_for_a_busy_machine_loses_nothing(engine: Engine) -> None:
    """A cell has a second of processor time here."""
    burn = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        outcome = engine.run(job(RIGHT, "import time; time.sleep(2)", burn))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert outcome.ended == "" and all(map(passed, outcome.outputs))


def test_output_is_cut_while_it_is_made(engine: Engine) -> None:
    outcome = engine.run(job(RIGHT, "for _ in range(10**5): print('x' * 100)"))
    assert 16_000 < len(texts(outcome.outputs[2])) < 17_000
    assert passed(outcome.outputs[-1])


def printed_by(engine: Engine, code: str) -> str:
    """Return what a student's cell prints or raises, and how it ended."""
    outcome = engine.run(job(code))
    return texts(outcome.outputs[1]) + outcome.ended


@needs_sandbox
def test_nothing_of_the_machine_is_to_be_seen(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("secret", encoding="utf-8")
    os.environ["A_SECRET"] = "secret"
    code = f"""
import os, sys
from pathlib import Path
print([str(p) for p in ({str(secret)!r}, {str(ROOT)!r}, "/proc/1", "/etc/passwd", "/etc/shadow")
       if Path(p).exists()], os.listdir("/engine"), "A_SECRET" in os.environ, os.getpid())
"""
    assert printed_by(engine, code) == "[] [] False 1\n"
    del os.environ["A_SECRET"]


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import socket; socket.create_connection(('1.1.1.1', 53), 1)", "not permitted"),
        ("import socket; socket.create_server(('127.0.0.1', 9999))", "not permitted"),
        ("import socket; socket.socket(40, socket.SOCK_STREAM)", "not permitted"),  # AF_VSOCK
        ("import socket; socket.getaddrinfo('pypi.org', 443)", "resolution"),
        ("open('/usr/x', 'w')", "Read-only"),
        ("open('/dev/x', 'w')", "Read-only"),
        ("open('/reference/x', 'w')", "Read-only"),
        ("x = bytearray(10**9)", ""),
        ("open('big', 'wb').write(bytes(9 * 2**20))", "File too large"),
        ("for n in range(9): open(f'{n}', 'wb').write(bytes(2**20))", "No space left"),
        ("import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0, 'no'", "no"),
        ("import ctypes; assert ctypes.CDLL(None).mount(b'a', b'/tmp', b'tmpfs', 0, 0) == 0, 'no'",
         "no"),
        ("import os\nos.setuid(0)", "Invalid argument"),
        ("import os\nwhile True: os.fork()", "temporarily unavailable"),
        ("from threading import Timer\nwhile True: Timer(9, print).start()",
         "can't start new thread"),
    ],
)  # fmt: skip
def test_an_attack_is_refused(engine: Engine, code: str, reason: str) -> None:
    outcome = engine.run(job(code))
    stopped = "out of time" in outcome.ended or not passed(outcome.outputs[1])
    assert stopped
    assert reason in texts(outcome.outputs[1]) + outcome.ended or "out of time" in outcome.ended
    assert passed(engine.run(job(RIGHT)).outputs[-1]), "the next one is as ever"


def all_below(pid: int) -> dict[int, str]:
    """Return the command lines of all descendants of a process."""
    command = ["ps", "-ww", "-eo", "pid=,ppid=,args="]
    running = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    found: dict[int, str] = {}
    for line in running.splitlines() * 9:  # a child may stand before its parent
        child, parent, args = line.split(maxsplit=2)
        if (int(parent) == pid or int(parent) in found) and "<defunct>" not in args:
            found[int(child)] = args
    return found


@needs_sandbox
def test_what_libraries_do_among_themselves_is_possible(engine: Engine) -> None:
    code = """
import asyncio, socket, subprocess
a, b = socket.socketpair()
a.send(b"x"), socket.socket(socket.AF_UNIX)
asyncio.run(asyncio.sleep(0))
print(b.recv(1), subprocess.run(["/bin/echo", "y"], capture_output=True).stdout)
"""
    assert printed_by(engine, code) == "b'x' b'y\\n'\n"


def test_files_lie_beside_the_code(engine: Engine) -> None:
    code = "print(open('digits.npz', 'rb').read())"
    given = replace(job(code), files={"digits.npz": base64.b64encode(b"\0\xff").decode()})
    outcome = engine.run(given)
    assert texts(outcome.outputs[1]) == "b'\\x00\\xff'\n"


@needs_sandbox
def test_nothing_outlives_its_submission(engine: Engine) -> None:
    code = """
import os, pathlib, time
pathlib.Path("/tmp/left").write_text("x")
pathlib.Path("/dev/shm/left").write_text("x")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(60)
    os._exit(0)
"""
    assert engine.run(job(RIGHT, code)).ended == ""
    look = "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('.'))"
    assert printed_by(engine, look) == "['work'] [] []\n"
    family = all_below(engine.parent.pid).values()
    engines = [args for args in family if "/engine" in args]
    running = [args for args in engines if "bwrap" not in args]
    assert len(running) <= 3, "the parent, and a keeper and a process that are ready for a job"


@needs_sandbox
def test_the_text_of_the_reference_is_not_there(engine: Engine) -> None:
    """The modules before this one can be imported; their solutions cannot be read."""
    assert printed_by(engine, "import os; print(os.listdir('/reference'))") == "[]\n"


@needs_sandbox
def test_devices_keep_no_trace(engine: Engine) -> None:
    """Their times are the machine's own: one run could tell another something by them."""
    code = """
import os
open("/dev/null", "w").write("x")
for name in os.listdir("/dev"):
    try: os.utime(f"/dev/{name}"), print(name)
    except OSError: pass
"""
    assert printed_by(engine, code).split() == ["shm"], "which is the submission's own"


@needs_sandbox
@pytest.mark.parametrize("call", ["add_key", "request_key", "keyctl", "io_uring_setup", "ptrace"])
def test_calls_that_no_notebook_needs_are_refused(engine: Engine, call: str) -> None:
    """Keys outlive a process: one run could tell hidden tests to the next, whose output shows."""
    include = subprocess.run(
        ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-xc", os.devnull],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if include.returncode:
        pytest.skip("needs the C compiler's own list of system calls")
    number = int(re.search(rf"#define __NR_{call} (\d+)", include.stdout)[1])
    arguments = "b'user', b'stash', b'values', 6, ctypes.c_int(-4)"
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({number}, {arguments}), ctypes.get_errno())
"""
    assert printed_by(engine, code) == "-1 1\n"


@needs_sandbox
def test_the_parent_cannot_be_killed(engine: Engine) -> None:
    parent = engine.parent.pid
    code = "import os, signal\nfor p in range(1, 500):\n    try: p > 1 and os.kill(p, 9)\n"
    outcome = engine.run(job(RIGHT, code + "    except OSError: pass"))
    assert passed(outcome.outputs[-1])
    assert engine.parent.pid == parent


def test_a_parent_that_dies_is_replaced(reference: Path) -> None:
    with Engine(reference, LIMITS, sandboxed=bubblewrap.available()) as engine:
        assert passed(engine.run(job(RIGHT)).outputs[-1])
        engine.parent.kill()
        assert passed(engine.run(job(RIGHT)).outputs[-1])


def test_a_job_that_kills_every_parent_is_given_up(reference: Path, monkeypatch) -> None:
    monkeypatch.setattr(Engine, "ask", lambda self, message: b"")
    with Engine(reference, LIMITS, sandboxed=bubblewrap.available()) as engine:
        outcome: Outcome = engine.run(job(RIGHT))
    assert set(outcome.outputs) == {None} and "twice" in outcome.ended


def test_without_bubblewrap_it_says_how_to_go_on(monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Exception, match=r"apt-get install bubblewrap(.|\n)*--no-sandbox"):
        bubblewrap.check()
    bubblewrap.check(wanted=False)


@pytest.mark.parametrize(("restricted", "said"), [("1", "sysctl -w"), ("0", "forbids it")])
def test_where_bubblewrap_fails_it_says_why(tmp_path, monkeypatch, restricted, said) -> None:
    setting = tmp_path / "apparmor_restrict_unprivileged_userns"
    setting.write_text(restricted + "\n", encoding="utf-8")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/bwrap")
    monkeypatch.setattr(bubblewrap, "wrapped", lambda *given: ["sh", "-c", "exit 1", "sh"])
    monkeypatch.setattr(bubblewrap, "RESTRICTED", setting)
    with pytest.raises(Exception, match=said) as caught:
        bubblewrap.check()
    assert "install" not in str(caught.value)


def test_when_the_grader_is_gone_nothing_stays(reference: Path) -> None:
    """As after its SIGKILL: the input of the parent ends while a student's code runs."""
    engine = Engine(reference, LIMITS, sandboxed=False)
    assert passed(engine.run(job(RIGHT)).outputs[-1])
    parent = engine.parent
    endless = job(RIGHT, "import time\nwhile True: time.sleep(1)")
    running = threading.Thread(target=engine.run, args=(endless,), daemon=True)
    running.start()
    end = time.monotonic() + 60
    while len(family := all_below(parent.pid)) < 2:  # a supervisor, and the student's process
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)
    engine.closed = True
    parent.stdin.close()
    parent.wait(timeout=30)
    engine.drop()
    assert family.keys() & all_below(1).keys() == set()
