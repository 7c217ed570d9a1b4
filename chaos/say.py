"""Progress, on stderr: stdout is for the one line of figures."""

import sys
import time

_BEGUN = time.monotonic()


def say(text: str) -> None:
    """A line with the seconds since the beginning."""
    sys.stderr.write(f"{time.monotonic() - _BEGUN:6.1f}  {text}\n")
    sys.stderr.flush()
