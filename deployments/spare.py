"""A process that has imported what it needs and waits for the word to begin.

``python -m deployments.spare MODULE`` imports MODULE, reads one line of its standard input and then
calls ``MODULE.main()``. Importing takes a second or two, which nobody has to wait for when what
worked until now was killed: the runner keeps such a process at hand (``supervisor.Program.spare``).
"""

import sys
from importlib import import_module


def main() -> None:
    """Import, wait, begin; without a word (the runner has ended) it ends as well."""
    module = import_module(sys.argv[1])
    if sys.stdin.readline():
        module.main()


if __name__ == "__main__":
    main()
