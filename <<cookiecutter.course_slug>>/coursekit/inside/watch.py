"""What a student's code asks of the interpreter that honest work has no need of.

An audit hook cannot be removed. It writes each finding into a pipe to the keeper before the thing
asked for happens, so that nothing can take it back; what cannot be written does not happen.

Asking is no offence where a library does so on its own behalf, as NumPy, `namedtuple` and
`traceback` do. So the stack is searched from the inside out: the first that counts is a frame of
the student's code, one of ours, or one of a library whose code itself names what was asked for. A
library that merely calls what it was given, or hands on what it got, does not count.
"""

import _thread
import builtins
import os
import sys
import sysconfig
from pathlib import Path

__builtins__ = {**vars(builtins)}  # the functions below keep the true ones, whatever is patched

getframe, add_hook, write, fstat = sys._getframe, sys.addaudithook, os.write, os.fstat
getcwd, modules, this_thread = os.getcwd, sys.modules, _thread.get_ident
low_open, low_read, low_close = os.open, os.read, os.close

name_of, flags_of = (vars(type)[name].__get__ for name in ("__name__", "__flags__"))
HEAP_TYPE = 2**9  # of a type's flags: it was made as the program ran
BUILT_IN = frozenset({"wrapper_descriptor", "instancemethod"})  # methods written in C, C++

FRAMES = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
CODE = frozenset({"__code__", "__defaults__", "__kwdefaults__"})
ODD_MODULES = frozenset(
    {"ctypes", "_ctypes", "cffi", "_cffi_backend", "_testcapi", "_testinternalcapi"}
    | {"_xxsubinterpreters", "_interpreters", "concurrent.interpreters", "unittest.mock"}
    | {"test.support"}
)
PROCESSES = frozenset(
    {"fork", "forkpty", "execv", "execve", "posix_spawn", "posix_spawnp", "system", "popen"}
    | {"kill", "killpg", "Popen", "run", "call", "check_call", "check_output", "fork_exec"}
    | {"Process", "Pool", "start"}
)
SOCKETS = frozenset({"connect", "bind", "sendto", "getaddrinfo", "gethostbyname", "urlopen"})
FILES = frozenset({"open", "open_code", "listdir", "scandir", "walk", "FileIO", "glob", "iglob"})
THREADS = frozenset({"Thread", "Timer", "start_new_thread", "start", "ThreadPoolExecutor"})

# Of an event: what it means, and the names that a library's code has which does it on its own.
EVENTS = {
    "sys._getframe": ("reads frames", frozenset({"_getframe", "currentframe"})),
    "sys._current_frames": ("reads frames", frozenset({"_current_frames"})),
    "sys._current_exceptions": ("reads frames", frozenset({"_current_exceptions"})),
    **{f"object.__getattr__ {name}": ("reads frames", FRAMES) for name in FRAMES},
    **{f"object.__setattr__ {name}": ("changes a function's code", CODE) for name in CODE},
    "object.__getattr__ __code__": ("reads the code of a test", frozenset({"__code__"})),
    "signal.signal": ("handles signals", frozenset({"signal"})),
    "gc.get_objects": ("searches the memory", frozenset({"get_objects"})),
    "gc.get_referrers": ("searches the memory", frozenset({"get_referrers"})),
    "gc.get_referents": ("searches the memory", frozenset({"get_referents"})),
    "sys.settrace": ("traces the tests", frozenset({"settrace"})),
    "sys.setprofile": ("traces the tests", frozenset({"setprofile", "enable"})),
    "sys.monitoring.register_callback": ("traces the tests", frozenset()),
    "sys.addaudithook": ("watches the engine", frozenset()),
    "cpython.PyInterpreterState_New": ("starts an interpreter", frozenset()),
    "code.__new__": ("makes code objects", frozenset({"replace", "CodeType"})),
    "compile": ("compiles code under another's name", frozenset()),
    "import": ("imports", frozenset({"import_module", *ODD_MODULES})),
    "ctypes.dlopen": ("reaches into memory", frozenset({"CDLL", "PyDLL", "dlopen", "ctypes"})),
    "ctypes.dlsym": ("reaches into memory", frozenset({"pythonapi"})),
    "ctypes.cdata": ("reaches into memory", frozenset()),
    "ctypes.string_at": ("reaches into memory", frozenset()),
    "open": ("opens a file outside its folder", FILES),
    "os.listdir": ("looks outside its folder", FILES),
    "os.scandir": ("looks outside its folder", FILES),
    **dict.fromkeys(
        ["os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system"]
        + ["subprocess.Popen", "pty.spawn"],
        ("starts a process", PROCESSES),
    ),
    **dict.fromkeys(
        ["os.kill", "os.killpg", "signal.pthread_kill"], ("signals a process", PROCESSES)
    ),
    **dict.fromkeys(
        ["socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"]
        + ["socket.getaddrinfo", "socket.gethostbyname"],
        ("uses the network", SOCKETS),
    ),
    **dict.fromkeys(
        ["_thread.start_new_thread", "_thread.start_joinable_thread"], ("starts a thread", THREADS)
    ),
}

# Libraries that do it for whoever calls them, by file, or by file and function.
CARRIERS = frozenset(
    {"inspect", "dis", "bdb", "pdb", "trace", "profile", "threading", "subprocess", "os"}
    | {
        "concurrent",
        "multiprocessing",
        "ctypes",
        "pathlib",
        "shutil",
        "socket",
        "http",
        "urllib",
        "pty",
        "runpy",
    }
    | {"traceback.walk_stack", "traceback.walk_tb", "logging.currentframe", "logging.<lambda>"}
    | {"importlib.import_module", "glob", "tempfile", "asyncio", "pty", "runpy"}
)
CPROFILES = type(len), type(None)  # what cProfile sets and takes away
MOST = 30  # findings of one submission
QUIET_FILES = frozenset({"/dev/null", "/dev/urandom", "/dev/random"})
HERE = f"{Path(__file__).parent.absolute()}/"

touched = []  # functions whose code was changed: the guard puts it back
ours = {}  # the sources of our cells that have run or are running, by file name
theirs = set()  # the file names of student's cells
now = {"cell": ""}


def start(pipe: int, nonce: str, folder: str, others: tuple) -> None:
    """Watch from now on; `folder` is where the code may write, `others` are the engine's pipes."""
    state.update(pipe=pipe, nonce=nonce, seen=set(), folder=folder + "/", engine={pipe, *others})
    state.update(inode=identity(pipe), libraries=libraries(), hook=hook.__code__)
    add_hook(hook)


state = {"hook": None, "looking": 0}


def libraries() -> tuple:
    """Return the folders that modules are installed in, the longest first."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    paths |= {str(Path(path).absolute()) for path in sys.path if path}
    return tuple(sorted((path + "/" for path in paths), key=len, reverse=True))


def identity(fd: int) -> tuple:
    found = fstat(fd)
    return found.st_dev, found.st_ino


def hook(event: str, args: tuple) -> None:
    """Look at an event of the interpreter, of which most are nobody's business."""
    if event == "object.__getattr__" or event == "object.__setattr__":
        event = f"{event} {args[1]}"
    about = EVENTS.get(event)
    if about is None or state["looking"] == this_thread():
        return
    what = detail(event, args)
    if what:
        culprit = blamed(about[1])
        if culprit:
            where = culprit if culprit[:5] == "cell " else f"cell {culprit}"
            report(f"{about[0]} ({what}) in {where}")


def detail(event: str, args: tuple) -> str:
    """Return what exactly was asked for; "" if it is harmless whoever asks."""
    if event == "sys._getframe":
        return "" if args[0].f_code is state["hook"] else event
    if event == "object.__getattr__ __code__":
        return name_in_ours(args[0])
    if event[:18] == "object.__setattr__":
        touched.append(args[0])
        return args[1] if args[1] == "__code__" else ""
    if event[:18] == "object.__getattr__":
        return args[1]
    if event == "open":
        return opened(args[0])
    if event in ("os.listdir", "os.scandir"):
        return opened("." if args[0] is None else args[0])
    if event == "compile":
        return forged(*args)
    if event == "import":
        return args[0] if args[0] in ODD_MODULES else ""
    if event == "sys.setprofile" and "cProfile" in modules:
        return ""  # cProfile's own, most likely; the guard looks at what is set
    if event == "sys.monitoring.register_callback" and type(args[0]) in CPROFILES:
        return ""  # since Python 3.12
    return event


def name_in_ours(fn: object) -> str:
    """Return the name of a function that a cell of ours defines; looking is an event itself."""
    if type(fn) is not type(hook):
        return ""
    state["looking"] = this_thread()
    code = fn.__code__
    state["looking"] = 0
    return code.co_name if code.co_filename in ours else ""


def opened(path: object) -> str:
    """Return a path that is neither the student's nor a library's, or one of the engine's pipes."""
    if type(path) is int:
        return f"descriptor {path}" if path in state["engine"] else ""
    full = absolute(plain(path))
    known = full in QUIET_FILES or (full + "/").startswith((state["folder"], *state["libraries"]))
    return "" if known else full


def plain(path: object) -> str:
    """Return a path as str itself, whatever class of the student's it is of."""
    if issubclass(type(path), str):
        return str.__str__(path)
    return bytes.decode(path, "utf-8", "replace") if issubclass(type(path), bytes) else ""


def absolute(path: str) -> str:
    """Return a path without . and .. in it, by nothing that a student's code could have patched."""
    parts = []
    for part in (path if path[:1] == "/" else f"{getcwd()}/{path}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def forged(source: object, filename: object) -> str:
    """Return the file name of code that is not what the file of that name holds."""
    if type(filename) is not str:
        return plain(filename)
    if filename in ours:
        return "" if source == ours[filename] else filename
    if filename[:8] == "<frozen " or filename[: len(HERE)] == HERE:
        return filename
    if not filename.startswith(state["libraries"]):
        return ""
    data = source.encode() if type(source) is str else source
    return "" if type(data) is bytes and data == content(filename) else filename


def content(filename: str) -> bytes:
    """Return what a file holds. To open it is such an event itself."""
    state["looking"] = this_thread()
    try:
        fd = low_open(filename, os.O_RDONLY)
    except OSError:
        return b""
    finally:
        state["looking"] = 0
    parts = [b" "]
    while parts[-1]:
        parts.append(low_read(fd, 2**20))
    low_close(fd)
    return b"".join(parts)[1:]


def blamed(own: frozenset) -> str:
    """Return the cell whose code asks for what just happens; "" if it is a library's business."""
    frame = getframe(1)
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        if type(name) is not str:
            return now["cell"]
        if name[: len(HERE)] == HERE:
            if name[len(HERE) :] not in ("watch.py", "handed.py"):
                return ""
        elif name in ours:
            return ""
        elif name in theirs:
            return name[1:-1]
        elif not is_library(name):
            return now["cell"]
        elif not own.isdisjoint(code.co_names) and not carries(name, code.co_name):
            return ""
        frame = frame.f_back
    return f"{now['cell']}, by a thread"


def is_theirs(method: object, compiled: bool = False) -> bool:
    """Tell whether a method of a class comes from a student's code, in whatever form.

    None and methods of built-in types do not; nor does what a library compiled from a text.
    """
    if type(method) is not type(is_theirs):
        built_in = not flags_of(type(method)) & HEAP_TYPE and name_of(type(method)) in BUILT_IN
        return method is not None and not built_in
    name = method.__code__.co_filename
    if type(name) is not str:
        return True
    return not (name in ours or is_library(name) or (compiled and name == "<string>"))


def is_library(name: str) -> bool:
    return name[:8] == "<frozen " or name.startswith(state["libraries"])


def carries(name: str, function: str) -> bool:
    """Tell whether a library's function does things for its caller."""
    if name[:8] == "<frozen ":
        module = name[8:-1]
    else:
        module = name[len(next(p for p in state["libraries"] if name.startswith(p))) :]
        module = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package = module.partition(".")[0]
    return not CARRIERS.isdisjoint((package, module, f"{package}.{function}"))


def report(finding: str) -> None:
    """Write a finding into the pipe, once."""
    finding = ascii(finding)[1:-1][:200]
    if finding in state["seen"] or len(state["seen"]) > MOST:
        return
    if identity(state["pipe"]) != state["inode"]:
        raise RuntimeError("this is not possible here")
    state["seen"].add(finding)
    line = f"{state['nonce']} {finding}\n".encode()
    if write(state["pipe"], line) != len(line):
        raise RuntimeError("this is not possible here")
