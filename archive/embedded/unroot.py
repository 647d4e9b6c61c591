"""Become another program that is not root, as PostgreSQL asks: `unroot.py USER PARENT_PID SIGNAL PROGRAM ARGUMENTS…`.

Where the kernel allows it: a user namespace in which root's files belong to an ordinary number, so that
a data folder needs no other owner and may lie in root's own folders (USER is "-"). Otherwise: user USER.
The program gets SIGNAL when its parent dies, as config/launch.py does it; that must be asked for after the
change of user, and the other user may not be able to run this Python once more.
"""

import contextlib
import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INSIDE = 1000


def main() -> None:
    """Leave root behind, ask for the signal, then exec."""
    user, parent, signal_number, program = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    if user == "-":
        enter_namespace()
    else:
        become(user)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the request
    os.execv(program[0], program)  # noqa: S606 - a list, no shell


def enter_namespace() -> None:
    """Raises OSError where it is not allowed."""
    uid, gid = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "no user namespace")
    Path("/proc/self/uid_map").write_text(f"{INSIDE} {uid} 1")
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{INSIDE} {gid} 1")


def become(user: str) -> None:
    """Drop all of root's rights."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main()
