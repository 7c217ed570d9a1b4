"""Becomes another program that dies with the process that started it.

``python tether.py PARENT COMMAND…``: on Linux the kernel ends the program when PARENT is killed,
even by SIGKILL; elsewhere the next start of the supervisor ends what was left (``supervisor``).
A step of its own because code between fork and exec is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # else it died before the line above
        os.execvp(command[0], command)


if __name__ == "__main__":
    main()
