"""The walls around one submission: its own processes, folders and limits. Linux, standard library.

`part` and `furnish` need the one capability that the sandbox was started with; `confine` gives it
up, for good, before a student's code runs.
"""

import contextlib
import ctypes
import os
import resource
import signal

NEW_MOUNTS, NEW_IPC, NEW_PIDS = 0x00020000, 0x08000000, 0x20000000
NOSUID, NODEV = 2, 4
CAPBSET_DROP, NO_NEW_PRIVS, PARENT_DEATH_SIGNAL = 24, 38, 1
CAPSET = {"x86_64": 126, "aarch64": 91}
CAP_VERSION = 0x20080522
MIB = 1024 * 1024

libc = ctypes.CDLL(None, use_errno=True)


def part() -> None:
    """Give this process's next child its own pids, and both their own IPC and mounts."""
    done(libc.unshare(NEW_MOUNTS | NEW_IPC | NEW_PIDS), "unshare")


def furnish(disk_mb: int) -> None:
    """Give this process and its child folders to write, and hide the engine's."""
    for folder, size in {"/tmp": disk_mb, "/dev/shm": disk_mb, "/engine": 1}.items():
        options = f"size={size}m,nr_inodes=4096,mode=1777"
        flags = NOSUID | NODEV
        done(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, options.encode()), folder)


def confine(limits: dict) -> None:
    """Take away every capability and set the limits of this process and its children."""
    for number in range(64):
        libc.prctl(CAPBSET_DROP, number, 0, 0, 0)
    done(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(CAP_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    done(libc.syscall(CAPSET[os.uname().machine], header, nothing), "capset")
    restrain(limits)
    limit("NPROC", limits["processes"])


def restrain(limits: dict) -> None:
    """Set the limits that need no sandbox; end when the keeper does."""
    with contextlib.suppress(AttributeError):  # Linux
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    limit("AS", limits["memory_mb"] * MIB)
    limit("CPU", int(limits["notebook_seconds"]) + 5)
    limit("FSIZE", limits["disk_mb"] * MIB)
    limit("NOFILE", 128)
    limit("CORE", 0)


def limit(name: str, value: int) -> None:
    with contextlib.suppress(ValueError, OSError, AttributeError):  # macOS knows some of them
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def done(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"the sandbox could not be closed: {what}")
