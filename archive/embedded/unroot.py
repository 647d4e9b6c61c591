"""Become another program that is not root: `unroot.py USER PROGRAM ARGUMENTS…`; PostgreSQL refuses root.

Where the kernel allows it: a user namespace in which root's files belong to an ordinary number, so that
a data folder needs no other owner and may lie in root's own folders. Otherwise: user USER.
"""

import contextlib
import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
INSIDE = 1000


def main() -> None:
    """Leave root behind, then exec."""
    user, program = sys.argv[1], sys.argv[2:]
    if user == "-":
        enter_namespace()
    else:
        become(user)
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
