"""Become another program that gets a signal when its parent dies: `launch.py PARENT_PID SIGNAL PROGRAM ARGUMENTS…`.

Run as a script with `python -I -S -E`, before anything of ours is imported: it must start in milliseconds.
The kernel's signal follows the *thread* that forked; whoever calls this keeps that thread for as long as the program.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, make sure that the parent still lives, and exec."""
    parent, signal_number, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the request
    os.execv(program[0], program)  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main()
