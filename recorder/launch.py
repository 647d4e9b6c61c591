"""Become another program that dies with the one that started it: `launch.py PARENT_PID PROGRAM ARGUMENTS…`.

Run as a script with `python -I -S -E`, before anything of ours is imported: it must start in milliseconds.
The kernel's signal follows the *thread* that forked; whoever calls this keeps that thread for as long as the program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the parent's death, make sure that it still lives, and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)  # it died before the request
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main()
