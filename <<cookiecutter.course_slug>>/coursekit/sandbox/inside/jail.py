"""The walls around one submission: its own processes, folders and limits. Linux, standard library.

`part` and `furnish` need the one capability that the sandbox was started with; `confine` gives it
up, for good, before a student's code runs.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct

NEW_MOUNTS, NEW_IPC, NEW_PIDS = 0x00020000, 0x08000000, 0x20000000
READ_ONLY, NOSUID, NODEV, REMOUNT, BIND = 1, 2, 4, 32, 4096
HIDDEN = "/engine", "/reference"
DEVICES = "null", "zero", "full", "random", "urandom", "tty", "pts"
ALREADY = 15  # what must stay of a mount's flags when they are changed: the first four
CAPBSET_DROP, NO_NEW_PRIVS, PARENT_DEATH_SIGNAL = 24, 38, 1
CAP_VERSION = 0x20080522
SET_SECCOMP, FILTER, ALLOW, REFUSE = 22, 2, 0x7FFF0000, 0x00050001  # the last one: EPERM
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of the kernel's filter language (BPF)
MIB = 1024 * 1024

MACHINE = os.uname().machine
KIND = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as the kernel names them to a filter
# System calls that no notebook needs: keyrings outlive a submission, the rest is there to look at
# other processes, to change what is mounted, or is where kernels most often had holes.
REFUSED = {
    "x86_64": (
        *(248, 249, 250),  # add_key, request_key, keyctl
        *(101, 310, 311, 438),  # ptrace, process_vm_readv and _writev, pidfd_getfd
        *(298, 300, 321, 323),  # perf_event_open, fanotify_init, bpf, userfaultfd
        *(155, 165, 166, 272, 303, 304, 308),  # pivot_root, mount, umount, unshare, handles, setns
        *(103, 175, 176, 246, 313, 320),  # syslog, modules, kexec
    ),
    "aarch64": (
        *(217, 218, 219),
        *(117, 270, 271, 438),
        *(241, 262, 280, 282),
        *(41, 40, 39, 97, 264, 265, 268),
        *(116, 105, 106, 104, 273, 294),
    ),
}
REFUSED_EVERYWHERE = range(425, 434)  # io_uring's, and those of the new way to mount
SOCKET, UNIX = {"x86_64": 41, "aarch64": 198}, 1  # others leave traces, or reach a VM's host

libc = ctypes.CDLL(None, use_errno=True)


def part() -> None:
    """Give this process's next child its own pids, and both their own IPC and mounts."""
    done(libc.unshare(NEW_MOUNTS | NEW_IPC | NEW_PIDS), "unshare")


def furnish(disk_mb: int) -> None:
    """Give this process and its child folders to write; hide the engine's and the reference's.

    The reference was imported before: its modules are there, its text, the solutions, is not.
    """
    sizes = {"/tmp": disk_mb, "/dev/shm": disk_mb, **dict.fromkeys(HIDDEN, 1)}
    for folder, size in sizes.items():
        options = f"size={size}m,nr_inodes=4096,mode=1777"
        flags = NOSUID | NODEV | (READ_ONLY if folder in HIDDEN else 0)
        done(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, options.encode()), folder)
    for name in DEVICES:  # to touch one would leave its time behind; written to they can be as ever
        path = f"/dev/{name}"
        flags = READ_ONLY | REMOUNT | BIND | (os.statvfs(path).f_flag & ALREADY)
        done(libc.mount(None, path.encode(), None, flags, None), path)


def confine(limits: dict) -> None:
    """Take away every capability and set the limits of this process and its children."""
    for number in range(64):
        libc.prctl(CAPBSET_DROP, number, 0, 0, 0)
    done(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(CAP_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    done(libc.capset(header, nothing), "capset")
    restrain(limits)
    limit("NPROC", limits["processes"])
    code = ctypes.create_string_buffer(call_filter())
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(code))
    done(libc.prctl(SET_SECCOMP, FILTER, program, 0, 0), "seccomp")


def call_filter() -> bytes:
    """Return the program that decides about system calls (seccomp(2), "Filters")."""
    numbers = [*REFUSED[MACHINE], *REFUSED_EVERYWHERE]
    tests = [(EQUAL, number) for number in numbers] + [(AT_LEAST, 0x40000000)]  # x32's
    jumps = [(code, len(tests) - n + 3, 0, value) for n, (code, value) in enumerate(tests)]
    steps = [
        *[(LOAD, 0, 0, 4), (EQUAL, 1, 0, KIND[MACHINE]), (RETURN, 0, 0, REFUSE)],  # another kind
        *[(LOAD, 0, 0, 0), *jumps],
        *[(EQUAL, 0, 2, SOCKET[MACHINE]), (LOAD, 0, 0, 16), (EQUAL, 0, 1, UNIX)],  # its family
        *[(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)],
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def restrain(limits: dict) -> None:
    """Set the limits that need no sandbox; end when the supervisor does."""
    with contextlib.suppress(AttributeError):  # Linux
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    limit("AS", limits["memory_mb"] * MIB)
    # Runs that do not count take as much; the last cell of each may still end.
    limit("CPU", 2 * int(limits["notebook_seconds"] + limits["cell_seconds"]) + 10)
    limit("FSIZE", limits["disk_mb"] * MIB)
    limit("NOFILE", 128)
    limit("CORE", 0)


def limit(name: str, value: int) -> None:
    with contextlib.suppress(ValueError, OSError, AttributeError):  # macOS knows some of them
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def done(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"the sandbox could not be closed: {what}")
